// Servers on several workers, started as real processes.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { request } from 'node:http'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { engineKind } from 'seawall'

export const native = engineKind() === 'native' && process.platform !== 'win32'
const fixture = new URL('./fixtures/express-server.mjs', import.meta.url)
const running = new Set()
const said = messages => JSON.stringify(messages)
let asked = 0
let latest

/** The server started last, also while it starts. */
export const last = () => latest

/** Ends what a failed test has left; a worker that is blocked would outlive its primary. */
export function endAll() {
  for (const { child, messages } of running) {
    child.kill('SIGKILL')
    const gone = new Set(messages.filter(({ event }) => event === 'workerExited').map(pidOf))
    const started = messages.filter(({ event }) => event === 'workerStarted').map(pidOf)
    for (const pid of started) if (!gone.has(pid)) endProcess(pid)
  }
}

const pidOf = ({ pid }) => pid

function endProcess(pid) {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}

/** What `promise` resolves to; an error that says what was waited for, where that takes too long. */
export async function within(ms, promise, what) {
  const late = Promise.withResolvers()
  const timer = setTimeout(() => late.reject(new Error(`${what()}: not within ${ms} ms`)), ms)
  return Promise.race([promise, late.promise]).finally(() => clearTimeout(timer))
}

/** Starts the fixture and waits until it listens, or has failed. */
export async function start(
  env = {},
  { options = {}, flags = [], prefix = [], quiet = false, detached = false } = {},
) {
  const [command, ...parameters] = [...prefix, process.execPath, ...flags, fixture.pathname]
  const child = spawn(command, parameters, {
    env: { ...process.env, NODE_TEST_CONTEXT: '', OPTIONS: JSON.stringify(options), ...env },
    stdio: ['ignore', 'pipe', quiet ? 'ignore' : 'inherit', 'ipc'],
    detached,
  })
  const messages = []
  const waiting = new Set()
  createInterface({ input: child.stdout }).on('line', line => {
    messages.push(JSON.parse(line))
    for (const look of waiting) look()
  })
  const ended = once(child, 'exit').then(([code, signal]) => signal ?? code)
  const server = {
    child,
    messages,
    /** The code or the signal it has ended with. */
    get exited() {
      return within(60_000, ended, () => `the end of the server, which said ${said(messages)}`)
    },
    /** The first message that `wanted` takes. */
    message(wanted, ms = 60_000) {
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          waiting.delete(look)
          reject(new Error(`no such message among ${said(messages)}`))
        }, ms)
        const look = () => {
          const found = messages.find(wanted)
          if (!found) return
          clearTimeout(timer)
          waiting.delete(look)
          resolve(found)
        }
        waiting.add(look)
        look()
      })
    },
    counts: () => server.ask('counts'),
    stats: () => server.ask('stats'),
    /** Has the primary do something; answers what it says then. */
    async ask(order) {
      const id = ++asked
      child.send({ id, order })
      const { answer, problem, code } = await server.message(
        ({ answers }) => answers === id,
        30_000,
      )
      if (problem) throw Object.assign(new Error(problem), { code })
      return answer
    },
    async stop(signal = 'SIGTERM') {
      child.kill(signal)
      const code = await server.exited
      running.delete(server)
      return code
    },
  }
  running.add(server)
  latest = server
  void ended.then(() => running.delete(server))
  const up = await server.message(({ mode, failed }) => mode === 'primary' || failed)
  const info = messages.find(({ info }) => info?.includes('tcp://'))?.info
  if (up.mode) {
    const { workers } = up
    const ready = () => messages.filter(({ mode }) => mode === 'worker').length >= workers
    await server.message(ready)
    // The word of the last one is on its way to the primary.
    await sleep(50)
  }
  server.port = Number(/:(\d+)$/.exec(info ?? '')?.[1])
  server.up = up
  return server
}

export function get(port, path = '/', { agent = false, ms = 15_000, host = '127.0.0.1' } = {}) {
  return new Promise((resolve, reject) => {
    const sent = request({ host, port, path, agent, timeout: ms }, response => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', part => {
        body += part
      })
      response.on('end', () => {
        const { statusCode: status, headers } = response
        resolve({ status, headers, body: status === 200 ? JSON.parse(body) : body })
      })
    })
    sent.on('error', reject)
    sent.on('timeout', () => sent.destroy(new Error('too late')))
    sent.end()
  })
}

/** Every worker's process; one that is starved for a while is waited for. */
export async function bothOf(port) {
  const end = performance.now() + 15_000
  const pids = new Set()
  while (pids.size < 2 && performance.now() < end) pids.add((await get(port)).body.pid)
  return [...pids]
}

/** The worker that gets most of the requests for a path: what a starved one does not take goes elsewhere. */
export async function usualOf(port, path) {
  const times = new Map()
  for (let n = 0; n < 7; n++) {
    const { pid } = (await get(port, `${path}${n}`)).body
    times.set(pid, (times.get(pid) ?? 0) + 1)
  }
  return [...times].sort(([, a], [, b]) => b - a)[0][0]
}

export const workersOf = async (port, count = 8) => {
  const pids = new Set()
  for (let n = 0; n < count; n++) pids.add((await get(port)).body.pid)
  return [...pids]
}

/** What must hold in one of a few tries: on a busy machine who is chosen may be late, and another serves. */
export async function inOneTry(attempt) {
  for (let tries = 5; ; ) {
    try {
      return await attempt()
    } catch (error) {
      if (--tries === 0) throw error
    }
  }
}
