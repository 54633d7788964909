// Processes replaced one after the other under load, and what became of each request.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Balancer } from './balancer.mjs'
import { Load } from './load.mjs'

/**
 * @param {{ restarts: number, perSecond?: number, processes?: number, lagMs?: number,
 *   windowMs?: number, deadlineMs?: number, say?: (text: string) => void }} options
 */
export async function rolling({
  restarts,
  perSecond = 500,
  processes = 2,
  lagMs = 250,
  windowMs = 1000,
  deadlineMs = 5000,
  say = () => {},
}) {
  const folder = mkdtempSync(join(tmpdir(), 'seawall-rolling-'))
  const log = join(folder, 'log')
  const balancer = new Balancer(lagMs)
  const load = new Load(await balancer.listen(2))
  const started = new Set()
  const result = { restarts: 0, exits: [], raced: 0, longestMs: 0 }

  const launch = async () => {
    const child = fork(join(import.meta.dirname, 'server.mjs'), [
      log,
      String(windowMs),
      String(deadlineMs),
    ])
    started.add(child)
    const backend = { child, ports: [] }
    child.on('message', message => {
      if (message.raced !== undefined) result.raced += message.raced
      if (message.ready === false) balancer.remove(backend.ports)
    })
    const dead = once(child, 'exit').then(([code]) => {
      throw new Error(`a process ended with ${code} before it listened`)
    })
    const [{ ports }] = await Promise.race([once(child, 'message'), dead])
    dead.catch(() => {})
    backend.ports = ports
    await balancer.add(ports)
    return backend
  }

  const end = async ({ child }) => {
    const before = performance.now()
    const late = setTimeout(() => child.kill('SIGKILL'), deadlineMs)
    child.kill('SIGTERM')
    const [code, signal] = await once(child, 'exit')
    clearTimeout(late)
    started.delete(child)
    result.exits.push(signal ?? code)
    result.longestMs = Math.max(result.longestMs, performance.now() - before)
  }

  let told
  try {
    const running = []
    for (let i = 0; i < processes; i++) running.push(await launch())
    load.start({ perSecond })
    await sleep(500)
    for (let i = 0; i < restarts; i++) {
      running.push(await launch())
      await end(running.shift())
      result.restarts++
      if (i % 10 === 9) say(`${i + 1} restarts, ${load.requests.size} requests`)
    }
    await sleep(200)
    await load.stop()
    for (const backend of running) await end(backend)
    told = await balancer.end()
  } finally {
    for (const child of started) child.kill('SIGKILL')
    balancer.kill()
  }
  const notes = readFileSync(log, 'utf8').split('\n')
  rmSync(folder, { recursive: true })
  return { ...result, redispatched: told.redispatched, ...judge(load, notes, told) }
}

/** Lost is what reached a process and was not answered whole; a race never reached one. */
function judge(load, notes, { reached: ports, cuts }) {
  const begun = new Set(notes.filter(line => line.startsWith('begun ')).map(line => line.slice(6)))
  const failed = [...load.requests].filter(([, { done }]) => !done)
  const describe = ([id, { kind, error, port }]) =>
    `${kind} ${id}: ${error} (${cuts.get(port) ?? 'not cut by the balancer'}${begun.has(id) ? '; begun' : ''})`
  // Half a head reaches a process before there is a request to note.
  const reached = ([id, { kind, port }]) =>
    begun.has(id) || (kind === 'halfHead' && ports.has(port))
  const kinds = {}
  for (const { kind } of load.requests.values()) kinds[kind] = (kinds[kind] ?? 0) + 1
  return {
    requests: load.requests.size,
    kinds,
    held: load.held,
    reused: load.reused,
    refused: load.refused,
    lost: failed.filter(reached).map(describe),
    races: failed.filter(one => !reached(one)).map(describe),
    webSockets: load.webSockets,
    eventStreams: load.eventStreams,
  }
}
