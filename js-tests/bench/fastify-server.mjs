// A hello-world app for `fastify.mjs`: bare, or with one of the two plugins, calm or refusing all.
import original from '@fastify/under-pressure'
import Fastify from 'fastify'
import ours from 'seawall/fastify'
import { PressureMonitor } from 'seawall/pressure'
import { serves } from './processes.mjs'

const limits = {
  maxEventLoopDelay: 1e6,
  maxHeapUsedBytes: 1e15,
  maxRssBytes: 1e15,
  maxEventLoopUtilization: 2,
}
const refusing = { maxHeapUsedBytes: 1, sampleInterval: 10 }
const monitor = (block = 0) => {
  const monitor = new PressureMonitor({ source: 'manual' })
  monitor.observe({ block })
  return monitor
}
const plugins = {
  bare: () => undefined,
  seawall: () => [ours, limits],
  'seawall, with a monitor': () => [ours, { ...limits, pressure: monitor() }],
  original: () => [original, limits],
  'seawall, refusing': () => [ours, refusing],
  'seawall, refusing by a monitor': () => [ours, { pressure: monitor(1e6) }],
  'original, refusing': () => [original, refusing],
}

const app = Fastify()
const plugin = plugins[process.argv[3]]()
if (plugin) app.register(...plugin)
app.get('/', async () => ({ hello: 'world' }))
await app.listen({ port: 0, host: '127.0.0.1' })
serves(app.server)
