// What the tests of runtimes share: finding programs and packages, and ending what they start.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, join } from 'node:path'
import { root } from '../../../npm/scripts/paths.mjs'

export const bin = join(root, 'node_modules')
const require = createRequire(import.meta.url)
const required = process.env.SEAWALL_REQUIRE_SERVERS === '1'

/** What the tests set for one another must not reach what they start. */
export function environment(more = {}) {
  const { SEAWALL_ENGINE, NODE_OPTIONS, NODE_TEST_CONTEXT, ...rest } = process.env
  return { ...rest, NO_COLOR: '1', ...more }
}

/** The path of a module of an npm package, `undefined` where it is not installed. */
export function found(specifier) {
  try {
    return require.resolve(specifier)
  } catch {
    return undefined
  }
}

/** Deno itself: the launcher beside it, when it is ended, leaves the program running. */
export const deno = [join(bin, 'deno', process.platform === 'win32' ? 'deno.exe' : 'deno')].find(
  existsSync,
)

/** The first of these programs that is on the path. */
export function program(...names) {
  const folders = (process.env.PATH ?? '').split(delimiter)
  const paths = names.flatMap(name => folders.map(folder => join(folder, name)))
  return paths.find(existsSync)
}

/**
 * The option `skip` of a test that needs something: says loudly what is missing. In CI, where
 * everything is installed, it does not skip, and the test fails for want of it.
 */
export function needs(thing, name, from) {
  if (thing !== undefined) return false
  const message = `${name} is not installed (${from}): NOT RUN`
  console.error(`! ${message}`)
  return required ? false : message
}

/** Runs a program to its end. Past `timeoutMs` it is ended, which is a failure. */
export function run(command, args, { cwd, env = environment(), timeoutMs = 60_000 } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs)
    let [stdout, stderr] = ['', '']
    child.stdout.setEncoding('utf8').on('data', text => (stdout += text))
    child.stderr.setEncoding('utf8').on('data', text => (stderr += text))
    child.on('error', reject)
    child.on('close', (status, signal) => {
      clearTimeout(timer)
      resolve({ status, signal, stdout, stderr })
    })
  })
}

/** Runs a program that must succeed, and answers what it printed. */
export async function output(command, args, options) {
  const { status, signal, stdout, stderr } = await run(command, args, options)
  const shown = [command, ...args].join(' ')
  assert.equal(status, 0, `${shown}: ${signal ?? `exit code ${status}`}\n${stdout}\n${stderr}`)
  return stdout
}

/** The report a program prints as its last line. */
export async function report(command, args, options) {
  const text = await output(command, args, options)
  return JSON.parse(text.trim().split('\n').at(-1))
}

/** Ends a child process and waits until it is gone. */
export async function end(child) {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise(resolve => child.once('exit', resolve))
  child.kill('SIGKILL')
  await gone
}
