// `npm run soak:balance [-- sequences]`: hostile clients by the thousand, then requests through
// deaths and reloads. Ends with a failure where a count does not come back or a request is lost.
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { counters, hostile, quiet } from '../express-hostile.mjs'
import { get, start } from '../express-tools.mjs'

const sequences = Number(process.argv[2] ?? 10_000)
const RELOADS = 5

async function besieged(BALANCER, options, count) {
  const server = await start({ BALANCER }, { options: { patienceMs: 300, ...options } })
  await hostile(server.port, { count: 200, seed: 1 })
  assert.ok(await quiet(server))
  const before = await server.ask('fds')
  const begun = performance.now()
  await hostile(server.port, { count, seed: 2 })
  assert.ok(await quiet(server), JSON.stringify(await server.stats()))
  const { accepted, handed, refused, closed, ...now } = await server.counts()
  assert.equal(accepted, handed + refused + closed)
  assert.deepEqual(counters(now), [0, 0, 0, 0])
  assert.equal(await server.ask('fds'), before)
  assert.equal((await get(server.port)).status, 200)
  assert.equal(await server.stop(), 0)
  const seconds = ((performance.now() - begun) / 1000).toFixed(1)
  console.log(
    JSON.stringify({ BALANCER, count, seconds, accepted, handed, refused, closed, before }),
  )
}

async function abandoned(count) {
  const server = await start({}, { options: { patienceMs: 50, respawnWorkers: false } })
  for (const { pid } of (await server.stats()).workers) process.kill(pid, 'SIGKILL')
  await sleep(200)
  const before = await server.ask('fds')
  await hostile(server.port, { count, seed: 3 })
  assert.ok(await quiet(server))
  const { accepted, handed, refused, closed } = await server.counts()
  assert.deepEqual([accepted, handed], [refused + closed, 0])
  assert.equal(await server.ask('fds'), before)
  assert.equal(await server.stop(), 0)
  console.log(JSON.stringify({ workers: 0, count, accepted, refused, closed, before }))
}

/** Requests on new connections while workers are replaced, and killed while they are idle. */
async function changing() {
  const server = await start({}, { options: { patienceMs: 5000 } })
  let isOver = false
  let served = 0
  const load = async () => {
    while (!isOver) {
      assert.equal((await get(server.port, '/slow?ms=2')).status, 200)
      served++
      await sleep(5)
    }
  }
  const loads = Array.from({ length: 8 }, load)
  for (let n = 0; n < RELOADS; n++) await server.ask('reload')
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
  console.log(JSON.stringify({ reloads: RELOADS, served, duringReloads: reloads, lost: 0 }))
}

await besieged('', {}, Math.floor(sequences * 0.5))
await besieged('path', {}, Math.floor(sequences * 0.25))
await besieged('late', {}, Math.floor(sequences * 0.15))
await abandoned(Math.floor(sequences * 0.1))
await changing()
