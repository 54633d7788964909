// `node bench/fastify.mjs [rounds] [ms]`: what the plugin for Fastify costs, beside the bare app and
// @fastify/under-pressure. All servers run at once and take turns under load, so that what else the
// machine does meets all alike. CPU of the server for each request says more than requests a second
// where the client shares the machine. Says what missed its mark and never fails for it.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import original from '@fastify/under-pressure'
import ours from 'seawall/fastify'
import { Pool } from 'undici'

const rounds = Number(process.argv[2] ?? 10)
const ms = Number(process.argv[3] ?? 600)
const median = numbers => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]

/** The plugin's hook in ns a request, without Fastify around it: the best of many batches. */
async function hookOf(plugin, options) {
  let hook
  const fastify = {
    decorate() {},
    addHook: (name, fn) => {
      if (name === 'onRequest') hook = fn
    },
    log: console,
  }
  await plugin(fastify, options)
  let passed = 0
  const next = () => {
    passed++
  }
  const request = { url: '/', headers: {}, raw: { socket: {} }, routeOptions: { config: {} } }
  const reply = { raw: {} }
  let best = Number.POSITIVE_INFINITY
  for (let batch = 0; batch < 50; batch++) {
    const began = process.hrtime.bigint()
    for (let i = 0; i < 100_000; i++) hook(request, reply, next)
    best = Math.min(best, Number(process.hrtime.bigint() - began) / 100_000)
  }
  if (passed !== 5_000_000) throw new Error('requests were refused')
  return best
}

const limits = {
  maxEventLoopDelay: 1e6,
  maxHeapUsedBytes: 1e15,
  maxRssBytes: 1e15,
  maxEventLoopUtilization: 2,
}
console.log(`load ${loadavg()[0].toFixed(1)}, Node ${process.version}\n`)
console.log('the check on a request that is served, ns')
const quiet = { ...limits, pressure: { source: 'manual' } }
for (const [name, plugin, options] of [
  ['seawall', ours, limits],
  ['seawall, with a monitor', ours, quiet],
  ['original', original, limits],
]) {
  const ns = await hookOf(plugin, options)
  const mark = name === 'original' ? '' : `  <= 100: ${ns <= 100 ? 'ok' : 'MISSED'}`
  console.log(`  ${name.padEnd(32)} ${ns.toFixed(1).padStart(8)}${mark}`)
}

const names = [
  'bare',
  'seawall',
  'seawall, with a monitor',
  'original',
  'seawall, refusing',
  'seawall, refusing by a monitor',
  'original, refusing',
]

async function start(name) {
  const child = fork(join(import.meta.dirname, 'fastify-server.mjs'), [name])
  const [{ port }] = await once(child, 'message')
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: 80, pipelining: 1 })
  const cpu = async () => {
    child.send('cpu')
    const [{ user, system }] = await once(child, 'message')
    return user + system
  }
  return { name, child, pool, cpu, rates: [], costs: [] }
}

/** Loads a server for a while; answers with requests and ms. */
async function load({ pool }, ms) {
  const began = performance.now()
  let count = 0
  const one = async () => {
    while (performance.now() - began < ms) {
      const { body } = await pool.request({ path: '/', method: 'GET' })
      await body.dump()
      count++
    }
  }
  await Promise.all(Array.from({ length: 80 }, one))
  return { count, ms: performance.now() - began }
}

const servers = []
for (const name of names) servers.push(await start(name))
await wait(200)
for (const server of servers) await load(server, 1_000)
for (let round = 0; round < rounds; round++) {
  // To and fro, so that none always comes after the same one.
  for (const server of round % 2 ? servers.toReversed() : servers) {
    // Connections that were closed while others had their turn are opened before it counts.
    await load(server, 100)
    const before = await server.cpu()
    const { count, ms: took } = await load(server, ms)
    server.costs.push(((await server.cpu()) - before) / count)
    server.rates.push((count / took) * 1_000)
  }
}

const figures = servers.map(({ name, rates, costs }) => ({ name, rates, costs }))
const by = name => figures.find(figure => figure.name === name)
/** The median of the ratios round by round: neighbours in time had the same machine. */
const ratio = (a, b, what) => median(by(a)[what].map((value, i) => value / by(b)[what][i]))
console.log(`\nservers, median of ${rounds} rounds of ${ms} ms: requests a second, µs CPU each`)
for (const { name, rates, costs } of figures) {
  const cells = [median(rates).toFixed(0), median(costs).toFixed(1)].map(cell => cell.padStart(8))
  console.log(`  ${name.padEnd(32)} ${cells.join('')}`)
}

console.log('\nratios, round by round')
const marks = [
  ['seawall', 'bare', 'rates', 0.98],
  ['seawall', 'original', 'rates', 1],
  ['seawall, with a monitor', 'bare', 'rates', 0.98],
  ['seawall, with a monitor', 'original', 'rates', 1],
  ['seawall', 'bare', 'costs', 1 / 0.98],
  ['seawall', 'original', 'costs', 1],
  ['seawall, refusing', 'bare', 'costs', 1],
  ['seawall, refusing', 'original, refusing', 'costs', 1],
  ['seawall, refusing by a monitor', 'bare', 'costs', 1],
  ['seawall, refusing by a monitor', 'original, refusing', 'costs', 1],
]
for (const [a, b, what, mark] of marks) {
  const value = ratio(a, b, what)
  const met = what === 'rates' ? value >= mark : value <= mark
  const text = `${what === 'rates' ? '>=' : '<='} ${mark.toFixed(2)}: ${value.toFixed(3)}`
  const unit = what === 'rates' ? 'requests' : 'CPU'
  console.log(`  ${unit} of "${a}" by "${b}" ${text} ${met ? 'ok' : 'MISSED'}`)
}
console.log(`\nload ${loadavg()[0].toFixed(1)}`)
for (const { pool, child } of servers) {
  child.disconnect()
  await pool.destroy()
}
process.exit()
