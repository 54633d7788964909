// What a refused request costs beside one that a hello-world server answers, over kept connections.
// `node pressure-refused.mjs [sets] [rounds] [seconds]`; says what missed its mark and never fails for it.
import { once } from 'node:events'
import http from 'node:http'
import { PressureMonitor, pressureMiddleware } from 'seawall/pressure'
import { compare, judge, print, serves } from './processes.mjs'

const hello = (_, res) => res.end('hello world')
const behind = monitor => {
  const shed = pressureMiddleware(monitor)
  return (req, res) => shed(req, res, () => hello(req, res))
}

/** One that is under as much pressure as can be; for so long that refusals say when to come back. */
function full(long) {
  let now = 0
  const clock = { now: () => now, setTimer: () => 0, clearTimer() {} }
  const monitor = new PressureMonitor({ source: 'manual', clock })
  for (now of long ? [0, 5_000] : [0]) monitor.observe({ block: 300 })
  return monitor
}

const kinds = {
  hello: () => hello,
  'bare 503': () => (_, res) => {
    res.writeHead(503, ['content-type', 'application/json', 'content-length', '111'])
    res.end('x'.repeat(111))
  },
  calm: () => behind(new PressureMonitor({ source: 'manual' })),
  refused: () => behind(full(false)),
  'refused, with Retry-After': () => behind(full(true)),
}

if (process.argv[2] === 'serve') {
  const server = http.createServer(kinds[process.argv[3]]())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  serves(server)
} else {
  const [sets = 5, rounds = 5, seconds = 1] = process.argv.slice(2).map(Number)
  const rows = await compare(import.meta.filename, Object.keys(kinds), { sets, rounds, seconds })
  print(rows, 'refusals of node:http over kept connections')
  for (const kind of ['calm', 'refused', 'refused, with Retry-After']) {
    judge(rows, kind, 'hello', 'cpu', kind === 'calm' ? 1.02 : 1)
  }
}
