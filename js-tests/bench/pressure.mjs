// What a monitor costs: the check of a request while nothing goes on, and a refused request beside
// one that is served, over sockets. `node pressure.mjs`; prints JSON.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import http from 'node:http'
import { engineKind } from 'seawall'
import { PressureMonitor, pressureMiddleware } from 'seawall/pressure'

const rounds = Number(process.argv[2] ?? 60)

/** ns for each call of `body`, the best of many batches that take turns. */
function measure(variants, batch = 200_000) {
  const all = Object.entries(variants).map(([name, [body, x]]) => ({
    name,
    x,
    run: new Function(
      'x',
      'n',
      `let r; for (let i = 0; i < n; i++) { ${body} } return r // ${name}`,
    ),
    best: Number.POSITIVE_INFINITY,
  }))
  for (let round = 0; round < rounds; round++) {
    for (const entry of all) {
      const begun = performance.now()
      entry.run(entry.x, batch)
      entry.best = Math.min(entry.best, ((performance.now() - begun) * 1e6) / batch)
    }
  }
  return Object.fromEntries(all.map(({ name, best }) => [name, Number(best.toFixed(1))]))
}

/** Requests a second over 32 kept connections, and this process's CPU for each in µs. */
async function load(server, seconds) {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = fork(import.meta.filename, ['client', String(server.address().port), seconds])
  await once(client, 'message')
  const cpu = process.cpuUsage()
  const [requests] = await once(client, 'message')
  const { user, system } = process.cpuUsage(cpu)
  server.closeAllConnections()
  server.close()
  return { perSecond: requests / seconds, cpuUs: (user + system) / requests }
}

if (process.argv[2] === 'client') {
  const [, , , port, seconds] = process.argv
  const { connect } = await import('node:net')
  const ask = 'GET / HTTP/1.1\r\nhost: a\r\n\r\n'
  let answers = 0
  let counts = false
  for (let i = 0; i < 32; i++) {
    const open = () => {
      const socket = connect(Number(port), '127.0.0.1')
      socket.setNoDelay(true)
      socket.on('data', () => {
        if (counts) answers++
        socket.write(ask)
      })
      socket.on('error', () => {})
      socket.on('close', open)
      socket.write(ask)
    }
    open()
  }
  setTimeout(() => {
    counts = true
    process.send('begun')
    setTimeout(() => {
      process.send(answers)
      process.exit()
    }, Number(seconds) * 1_000)
  }, 700)
} else {
  const calm = new PressureMonitor({ source: 'manual' })
  const full = new PressureMonitor({ source: 'manual' })
  full.observe({ block: 300 })
  const shed = pressureMiddleware(calm)
  const request = { url: '/a', headers: {}, httpVersionMajor: 1 }
  const pass = { shed, request, next() {} }
  const checks = measure({
    'read of a typed array': ['r = x[4] === 0', new Float64Array(64)],
    'admit()': ['r = x.admit()', calm],
    'middleware, calm': ['x.shed(x.request, undefined, x.next)', pass],
  })
  // Where a native thread watches, routes are noted.
  const watching = new PressureMonitor({ source: 'auto', dryRun: true })
  const noted = { ...pass, shed: pressureMiddleware(watching) }
  const routes = measure({
    'enter(), a route that is known': ["r = x.enter('GET /a')", watching],
    'middleware, calm, noting routes': ['x.shed(x.request, undefined, x.next)', noted],
  })
  watching[Symbol.dispose]()
  const refusals = measure({ 'admit() that refuses': ['r = x.admit()', full] }, 20_000)
  const hello = (_, res) => res.end('hello world')
  const servers = {
    bare: () => http.createServer(hello),
    calm: () => http.createServer((req, res) => shed(req, res, () => hello(req, res))),
    refused: () => {
      const middleware = pressureMiddleware(full)
      return http.createServer((req, res) => middleware(req, res, () => hello(req, res)))
    },
  }
  const runs = {}
  for (let round = 0; round < 3; round++) {
    for (const [name, make] of Object.entries(servers)) {
      const { perSecond, cpuUs } = await load(make(), 2)
      runs[name] ??= { perSecond: 0, cpuUs: Number.POSITIVE_INFINITY }
      runs[name].perSecond = Math.max(runs[name].perSecond, Math.round(perSecond))
      runs[name].cpuUs = Math.min(runs[name].cpuUs, Number(cpuUs.toFixed(1)))
    }
  }
  console.log(JSON.stringify({ engine: engineKind(), checks, routes, refusals, runs }, null, 2))
  process.exit()
}
