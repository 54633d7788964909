// Child processes of the scripts.
import { spawn, spawnSync } from 'node:child_process'
import { root } from './paths.mjs'
import { Stop } from './say.mjs'

/** Runs a command in the open; throws where it fails. */
export function must(command, args, options = {}) {
  const { status, signal, error } = spawnSync(command, args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    ...options,
  })
  const line = [command, ...args].join(' ')
  if (error) throw new Stop(`could not run: ${line}\n  ${error.message}`)
  if (status !== 0) throw new Stop(`failed (${signal ?? `exit code ${status}`}): ${line}`)
}

/** What a command prints, or undefined where it fails or does not exist. */
export function ask(command, args, options = {}) {
  const { status, stdout } = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    ...options,
  })
  return status === 0 ? stdout.trim() : undefined
}

/**
 * Runs a command while showing what it prints, and answers with all of it.
 * Past `timeoutMs` the command and its children are ended, and `alive` says what they were. With
 * `alone` no child outlives the command.
 */
export function watch(
  command,
  args,
  { env, cwd = root, timeoutMs = 900_000, alone = false, show = line => line } = {},
) {
  return new Promise(resolve => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: process.platform !== 'win32',
    })
    let output = ''
    let timedOut = false
    let alive
    const end = signal => {
      try {
        process.kill(process.platform === 'win32' ? child.pid : -child.pid, signal)
      } catch {
        // It has ended already.
      }
    }
    const interrupted = () => {
      end('SIGTERM')
      process.exit(130)
    }
    process.once('SIGINT', interrupted)
    process.once('SIGTERM', interrupted)
    const timer = setTimeout(() => {
      timedOut = true
      alive = group(child.pid)
      end('SIGKILL')
    }, timeoutMs)
    for (const stream of [child.stdout, child.stderr]) {
      let rest = ''
      stream.setEncoding('utf8')
      stream.on('data', text => {
        output += text
        const lines = (rest + text).split('\n')
        rest = lines.pop()
        for (const line of lines) {
          const shown = show(line)
          if (shown !== undefined) console.log(shown)
        }
      })
    }
    child.on('error', error => {
      output += error.message
      console.log(error.message)
    })
    // A child of it that holds on to its output would be waited for.
    if (alone) child.on('exit', () => end('SIGKILL'))
    child.on('close', (status, signal) => {
      clearTimeout(timer)
      process.off('SIGINT', interrupted)
      process.off('SIGTERM', interrupted)
      if (timedOut) console.log(`stopped after ${timeoutMs / 1000} s: ${command} ${args.join(' ')}`)
      resolve({
        ok: status === 0 && !timedOut,
        status,
        signal,
        timedOut,
        alive,
        output: plain(output),
      })
    })
  })
}

/** The processes of a group, a line each. */
function group(id) {
  const all = ask('ps', ['-eo', 'pgid=,pid=,ppid=,stat=,etime=,args=']) ?? ''
  const ours = all.split('\n').filter(line => Number.parseInt(line, 10) === id)
  return ours.map(line => line.slice(0, 200)).join('\n')
}

function plain(text) {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with one
  return text.replace(/\u001b\[[0-9;]*m/g, '')
}
