// @ts-check
// Services in processes of their own, which are told to end.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'

/**
 * Runs `script`, does to it what is said for each word when that is printed, and answers how it ended
 * and how long after the first.
 * @param {string} script
 * @param {{ [word: string]: NodeJS.Signals | ((child: import('node:child_process').ChildProcess) => void) }} [acts]
 *   a signal to send, or a function of the child process
 */
export async function run(script, acts = {}) {
  const prelude = `
    import { lifecycle, Lifecycle } from 'seawall/lifecycle'
    import { writeSync } from 'node:fs'
    const say = text => writeSync(1, text + '\\n')
    const wait = ms => new Promise(resolve => setTimeout(resolve, ms))
    const never = () => new Promise(() => {})
    const spin = () => { for (;;); }
    setInterval(() => {}, 100_000)
  `
  const child = spawn(process.execPath, ['--input-type=module', '-e', prelude + script], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const killer = setTimeout(() => child.kill('SIGKILL'), 30_000)
  const waiting = new Map(Object.entries(acts))
  let [stdout, stderr, sent] = ['', '', 0]
  child.stdout.setEncoding('utf8').on('data', chunk => {
    stdout += chunk
    for (const [word, act] of waiting) {
      if (!stdout.includes(`${word}\n`)) continue
      waiting.delete(word)
      sent ||= performance.now()
      if (typeof act === 'function') act(child)
      else child.kill(act)
    }
  })
  child.stderr.setEncoding('utf8').on('data', chunk => (stderr += chunk))
  const [code, signal] = await new Promise(resolve => child.on('close', (...end) => resolve(end)))
  clearTimeout(killer)
  const ms = performance.now() - sent
  return { code, signal, ms, stderr, lines: stdout.split('\n').filter(Boolean) }
}

/** Not before its deadline, and not much later, on a machine that may have much else to do. */
export function onTime(ms, deadline) {
  assert.ok(ms > deadline - 50, `gone after ${ms} ms, before ${deadline}`)
  assert.ok(ms < deadline + 1500, `gone after ${ms} ms, ${deadline} were promised`)
}
