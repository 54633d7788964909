// What a refused request costs beside one that a hello-world server answers: CPU of the server for
// each request, in turns in one process, asked by another over kept connections. Medians of the
// rounds, and of the ratios within each round, as a machine that does other things besides is slow
// in turns. `node pressure-refused.mjs [rounds] [ms] [only these, by comma]`; prints JSON.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import http from 'node:http'
import { connect } from 'node:net'
import { engineKind } from 'seawall'
import { PressureMonitor, pressureMiddleware } from 'seawall/pressure'

const median = numbers => numbers.toSorted((a, b) => a - b)[numbers.length >> 1]

/** Asks over 32 connections for as long as it is told to; tells how many answers there were. */
function ask() {
  const head = 'GET /path HTTP/1.1\r\nhost: a\r\nuser-agent: bench\r\naccept: */*\r\n\r\n'
  process.on('message', ({ port, ms }) => {
    let answers = 0
    let opened = 0
    let open = true
    const sockets = new Set()
    const begin = () => {
      if (!open) return
      opened++
      const socket = connect(port, '127.0.0.1')
      socket.setNoDelay(true)
      sockets.add(socket)
      socket.on('data', () => {
        answers++
        if (open) socket.write(head)
      })
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        begin()
      })
      socket.write(head)
    }
    for (let i = 0; i < 32; i++) begin()
    setTimeout(() => {
      open = false
      for (const socket of sockets) socket.destroy()
      process.send({ answers, opened })
    }, ms)
  })
}

async function main() {
  const rounds = Number(process.argv[2] ?? 9)
  const ms = Number(process.argv[3] ?? 500)
  const only = process.argv[4]?.split(',')
  const full = new PressureMonitor({ source: 'manual' })
  full.observe({ block: 300 })
  // Twice, so far apart that the refusals say when to come back.
  let now = 0
  const clock = { now: () => now, setTimer: () => 0, clearTimer() {} }
  const long = new PressureMonitor({ source: 'manual', clock })
  for (now of [0, 5_000]) long.observe({ block: 300 })
  const calm = new PressureMonitor({ source: 'manual' })
  const hello = (_, res) => res.end('hello world')
  const body = 'x'.repeat(111)
  const behind = shed => (req, res) => shed(req, res, () => hello(req, res))
  const handlers = {
    hello,
    'bare 503': (_, res) => {
      res.writeHead(503, ['content-type', 'application/json', 'content-length', '111'])
      res.end(body)
    },
    calm: behind(pressureMiddleware(calm)),
    refused: behind(pressureMiddleware(full)),
    'refused, with Retry-After': behind(pressureMiddleware(long)),
  }
  const names = Object.keys(handlers).filter(name => !only || only.includes(name))
  const costs = {}
  const opened = {}
  const client = fork(import.meta.filename, ['client'])
  const servers = new Map()
  for (const name of names) {
    costs[name] = []
    const server = http.createServer(handlers[name]).listen(0, '127.0.0.1')
    await once(server, 'listening')
    servers.set(name, server)
  }
  // The first round is for the compiler.
  for (let round = -1; round < rounds; round++) {
    const order = round % 2 === 0 ? names : names.toReversed()
    for (const name of order) {
      const cpu = process.cpuUsage()
      client.send({ port: servers.get(name).address().port, ms })
      const [told] = await once(client, 'message')
      const { user, system } = process.cpuUsage(cpu)
      if (round < 0) continue
      costs[name].push((user + system) / told.answers)
      opened[name] = (opened[name] ?? 0) + told.opened / rounds
    }
  }
  const rows = names.map(name => [
    name,
    {
      cpuUs: Number(median(costs[name]).toFixed(1)),
      ofHello: Number(median(costs[name].map((us, i) => us / (costs.hello?.[i] ?? us))).toFixed(3)),
      // What others do on the machine only ever adds.
      bestUs: Number(Math.min(...costs[name]).toFixed(1)),
      bestOfHello: Number(
        (Math.min(...costs[name]) / Math.min(...(costs.hello ?? costs[name]))).toFixed(3),
      ),
      connections: Math.round(opened[name]),
    },
  ])
  const told = { engine: engineKind(), node: process.version, rounds, ms }
  console.log(JSON.stringify({ ...told, servers: Object.fromEntries(rows) }, null, 2))
  client.kill()
  for (const server of servers.values()) {
    server.closeAllConnections()
    server.close()
  }
}

if (process.argv[2] === 'client') ask()
else await main()
