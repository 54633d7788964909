// `npm run soak:balance [-- sequences [modes]]`: hostile clients by the thousand, then requests through
// deaths and reloads, in each of the modes, which are separated by commas. Ends with a failure where a
// count does not come back or a request is lost.
import assert from 'node:assert/strict'
import { Agent } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { counters, hostile, quiet } from '../express-hostile.mjs'
import { get, start } from '../express-tools.mjs'

const sequences = Number(process.argv[2] ?? 10_000)
const modes = (process.argv[3] ?? 'handoff,proxy,http').split(',')
const RELOADS = 5

async function besieged(mode, BALANCER, count) {
  const server = await start({ BALANCER }, { options: { mode, patienceMs: 300 } })
  await hostile(server.port, { count: 200, seed: 1 })
  assert.ok(await quiet(server))
  const before = await server.ask('fds')
  const begun = performance.now()
  await hostile(server.port, { count, seed: 2 })
  assert.ok(await quiet(server), JSON.stringify(await server.stats()))
  const { accepted, handed, refused, closed, ...now } = await server.counts()
  assert.equal(accepted, handed + refused + closed)
  assert.ok(
    counters(now).every(count => count === 0),
    JSON.stringify(now),
  )
  // Connections to workers are kept for a while without a request.
  const kept = now.http?.idle ?? 0
  assert.ok((await server.ask('fds')) <= before + kept)
  assert.equal((await get(server.port)).status, 200)
  assert.equal(await server.stop(), 0)
  const seconds = ((performance.now() - begun) / 1000).toFixed(1)
  console.log(
    JSON.stringify({ mode, BALANCER, count, seconds, accepted, handed, refused, closed, before }),
  )
}

async function abandoned(mode, count) {
  const server = await start({}, { options: { mode, patienceMs: 50, respawnWorkers: false } })
  for (const { pid } of (await server.stats()).workers) process.kill(pid, 'SIGKILL')
  await sleep(200)
  const before = await server.ask('fds')
  await hostile(server.port, { count, seed: 3 })
  assert.ok(await quiet(server))
  const { accepted, handed, refused, closed } = await server.counts()
  assert.deepEqual([accepted, handed], [refused + closed, 0])
  assert.equal(await server.ask('fds'), before)
  assert.equal(await server.stop(), 0)
  console.log(JSON.stringify({ mode, workers: 0, count, accepted, refused, closed, before }))
}

/** Lets this process run only now and then, as on a machine that is busy. */
function starve() {
  const timer = setInterval(() => {
    const end = performance.now() + 50
    while (performance.now() < end);
  }, 10)
  return () => clearInterval(timer)
}

/**
 * Requests while workers are replaced, on new connections and on such as are kept, by clients that are
 * late with them; then on new ones while workers are killed that are idle.
 */
async function changing(mode) {
  const server = await start({}, { options: { mode, patienceMs: 5000 } })
  let isOver = false
  let served = 0
  const load = async (_, n) => {
    const keepAlive = n % 2 === 1
    const agent = keepAlive && new Agent({ keepAlive, maxSockets: 1 })
    while (!isOver) {
      assert.equal((await get(server.port, '/slow?ms=2', { agent })).status, 200)
      served++
      await sleep(keepAlive ? 250 : 5)
    }
    if (agent) agent.destroy()
  }
  const loads = Array.from({ length: 8 }, load)
  for (let n = 0; n < RELOADS; n++) {
    const feed = n % 2 === 1 ? starve() : () => {}
    await server.ask('reload')
    feed()
  }
  isOver = true
  await Promise.all(loads)
  const reloads = served
  // A death takes what its worker was doing with it, and nothing else: here it does nothing.
  for (let n = 0; n < 3; n++) {
    const { workers } = await server.stats()
    process.kill(workers[n % 2].pid, 'SIGKILL')
    for (let at = 0; at < 50; at++) {
      assert.equal((await get(server.port)).status, 200)
      served++
    }
    await sleep(1500)
  }
  const { counts } = await server.stats()
  assert.deepEqual([counts.refused, counts.closed], [0, 0])
  assert.equal(await server.stop(), 0)
  console.log(JSON.stringify({ mode, reloads: RELOADS, served, duringReloads: reloads, lost: 0 }))
}

for (const mode of modes) {
  await besieged(mode, '', Math.floor(sequences * 0.5))
  await besieged(mode, 'path', Math.floor(sequences * 0.25))
  await besieged(mode, 'late', Math.floor(sequences * 0.15))
  await abandoned(mode, Math.floor(sequences * 0.1))
  await changing(mode)
}
