// `node bench/fastify.mjs [sets] [rounds] [seconds]`: what the plugin for Fastify costs, beside the bare app
// and @fastify/under-pressure. CPU of the server for each request says more than requests a second
// where the client shares the machine. Says what missed its mark and never fails for it.
import { loadavg } from 'node:os'
import { join } from 'node:path'
import original from '@fastify/under-pressure'
import ours from 'seawall/fastify'
import { compare, judge, print } from './processes.mjs'

const [sets = 5, rounds = 5, seconds = 1] = process.argv.slice(2).map(Number)

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

const file = join(import.meta.dirname, 'fastify-server.mjs')
const rows = await compare(file, names, { sets, rounds, seconds, connections: 80 })
print(rows, 'servers')

console.log('\nratios within the sets of processes')
for (const kind of ['seawall', 'seawall, with a monitor']) {
  judge(rows, kind, 'bare', 'rate', 0.98)
  judge(rows, kind, 'original', 'rate', 1)
  judge(rows, kind, 'bare', 'cpu', 1 / 0.98)
  judge(rows, kind, 'original', 'cpu', 1)
}
for (const kind of ['seawall, refusing', 'seawall, refusing by a monitor']) {
  judge(rows, kind, 'bare', 'cpu', 1)
  judge(rows, kind, 'original, refusing', 'cpu', 1)
}
