// What a refusal by the native thread costs beside one that a hello-world server answers: CPU of the
// process, and of the thread that runs JavaScript, on new connections and on kept ones.
// `node refusals.mjs [sets] [rounds] [seconds]`; says what missed its mark and never fails for it.
import { once } from 'node:events'
import http from 'node:http'
import { PressureMonitor, pressureMiddleware, refuseNatively } from 'seawall/pressure'
import { compare, judge, print, serves } from './processes.mjs'

const kinds = ['hello', 'refused by JavaScript', 'refused natively']

if (process.argv[2] === 'serve') {
  const [, , , kind] = process.argv
  const monitor = new PressureMonitor({ source: 'manual' })
  const shed = pressureMiddleware(monitor)
  const hello = (_, res) => res.end('hello world')
  const refused = (req, res) => shed(req, res, () => hello(req, res))
  const server = http.createServer(kind === 'hello' ? hello : refused)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  monitor.observe({ block: 300 })
  if (kind === 'refused natively') refuseNatively(server, monitor)
  serves(server)
} else {
  const [sets = 5, rounds = 5, seconds = 1] = process.argv.slice(2).map(Number)
  for (const fresh of [true, false]) {
    const how = { sets, rounds, seconds, connections: 16, fresh }
    const rows = await compare(import.meta.filename, kinds, how)
    print(rows, fresh ? 'a new connection for each request' : 'kept connections')
    judge(rows, 'refused by JavaScript', 'hello', 'cpu', 1)
    judge(rows, 'refused natively', 'hello', 'cpu', 0.1)
    judge(rows, 'refused natively', 'hello', 'thread', 0.1)
  }
}
