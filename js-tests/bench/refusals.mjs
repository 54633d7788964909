// What a refusal on a new connection costs: CPU of the process, and of the thread that runs
// JavaScript, for each request of a hello-world server, refused by JavaScript, and refused by the
// native thread; in turns in one process, asked by another. `node refusals.mjs [rounds] [ms]`; prints
// JSON.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import http from 'node:http'
import { connect } from 'node:net'
import { PressureMonitor, pressureMiddleware, refuseNatively } from 'seawall/pressure'

const median = numbers => numbers.toSorted((a, b) => a - b)[numbers.length >> 1]

/** Asks over one connection for each request, so many at a time. */
function ask() {
  const head =
    'GET /path HTTP/1.1\r\nhost: a\r\nuser-agent: bench\r\naccept: */*\r\nconnection: close\r\n\r\n'
  process.on('message', ({ port, ms }) => {
    let answers = 0
    let open = true
    const one = () => {
      if (!open) return
      const socket = connect(port, '127.0.0.1')
      let answered = false
      socket.on('data', () => (answered = true))
      socket.on('error', () => {})
      socket.on('close', () => {
        answers += Number(answered)
        one()
      })
      socket.write(head)
    }
    for (let i = 0; i < 16; i++) one()
    setTimeout(() => {
      open = false
      process.send({ answers })
    }, ms)
  })
}

async function main() {
  const rounds = Number(process.argv[2] ?? 9)
  const ms = Number(process.argv[3] ?? 500)
  const full = new PressureMonitor({ source: 'manual' })
  full.observe({ block: 300 })
  const hello = (_, res) => res.end('hello world')
  const shed = pressureMiddleware(full)
  const refused = (req, res) => shed(req, res, () => hello(req, res))
  const handlers = { hello, 'refused by JavaScript': refused, 'refused natively': refused }
  const names = Object.keys(handlers)
  const client = fork(import.meta.filename, ['client'])
  const servers = new Map()
  for (const name of names) {
    const server = http.createServer(handlers[name]).listen(0, '127.0.0.1')
    await once(server, 'listening')
    if (name === 'refused natively') refuseNatively(server, full)
    servers.set(name, server)
  }
  const rows = Object.fromEntries(names.map(name => [name, { all: [], javascript: [], rate: [] }]))
  const thread = process.threadCpuUsage ? start => process.threadCpuUsage(start) : () => undefined
  for (let round = -1; round < rounds; round++) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      const cpu = process.cpuUsage()
      const own = thread()
      client.send({ port: servers.get(name).address().port, ms })
      const [{ answers }] = await once(client, 'message')
      const all = process.cpuUsage(cpu)
      const javascript = thread(own)
      if (round < 0) continue
      rows[name].all.push((all.user + all.system) / answers)
      if (javascript) rows[name].javascript.push((javascript.user + javascript.system) / answers)
      rows[name].rate.push((answers / ms) * 1_000)
    }
  }
  const told = names.map(name => {
    const ofHello = kind => median(rows[name][kind].map((us, i) => us / rows.hello[kind][i]))
    const round = number => number && Number(number.toFixed(3))
    return [
      name,
      {
        cpuUs: round(median(rows[name].all)),
        ofHello: round(ofHello('all')),
        javascriptUs: round(median(rows[name].javascript)),
        javascriptOfHello: round(ofHello('javascript')),
        perSecond: Math.round(median(rows[name].rate)),
      },
    ]
  })
  console.log(
    JSON.stringify({ node: process.version, rounds, ms, ...Object.fromEntries(told) }, null, 2),
  )
  process.exit()
}

if (process.argv[2] === 'client') ask()
else await main()
