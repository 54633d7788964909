// For how long a server keeps idle connections, where several shorten it.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import { afterEach, test } from 'node:test'
import { PressureMonitor, pressureMiddleware } from 'seawall/pressure'

const USUAL = 65_000
const servers = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

/** A server with a middleware for each of the paths, `/0` and so on, and how to ask it. */
async function start(...middleware) {
  const server = http.createServer((request, response) =>
    middleware[Number(request.url.slice(1))](request, response, () => response.end('served')),
  )
  server.keepAliveTimeout = USUAL
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const ask = async index => {
    const { port } = server.address()
    const request = http.get({ host: '127.0.0.1', port, path: `/${index}`, agent: false })
    const [response] = await once(request, 'response')
    response.resume()
    await once(response, 'end')
  }
  return { server, ask }
}

const open = { priority: () => 'veryHigh' }

function observe(monitor, block) {
  for (let i = 0; i < 5; i++) monitor.observe({ block })
}

test('two middlewares of one monitor give a server its time back', async () => {
  const monitor = new PressureMonitor({ source: 'manual' })
  const { server, ask } = await start(
    pressureMiddleware(monitor, open),
    pressureMiddleware(monitor, open),
  )
  for (const order of [
    [0, 1],
    [1, 0],
    [0, 1],
  ]) {
    observe(monitor, 175)
    for (const index of order) await ask(index)
    assert.equal(Math.round(server.keepAliveTimeout), Math.round(USUAL * (2 / 3)))
    observe(monitor, 0)
    await ask(0)
    assert.equal(server.keepAliveTimeout, USUAL)
    await ask(1)
    assert.equal(server.keepAliveTimeout, USUAL)
  }
})

test('of two monitors the one under greater pressure is followed', async () => {
  const monitors = [0, 1].map(() => new PressureMonitor({ source: 'manual' }))
  const { server, ask } = await start(...monitors.map(monitor => pressureMiddleware(monitor, open)))
  const [first, second] = monitors
  observe(first, 145)
  await ask(0)
  const some = server.keepAliveTimeout
  assert.ok(some < USUAL)
  observe(second, 190)
  await ask(1)
  const much = server.keepAliveTimeout
  assert.ok(much < some)
  await ask(0)
  assert.equal(server.keepAliveTimeout, much)
  observe(second, 0)
  await ask(1)
  assert.equal(server.keepAliveTimeout, some)
  observe(first, 0)
  // Whoever is asked finds it.
  await ask(1)
  assert.equal(server.keepAliveTimeout, USUAL)
  await ask(0)
  assert.equal(server.keepAliveTimeout, USUAL)
})

test('a monitor that is disposed of shortens nothing any more', async () => {
  const monitors = [0, 1].map(() => new PressureMonitor({ source: 'manual' }))
  const { server, ask } = await start(...monitors.map(monitor => pressureMiddleware(monitor, open)))
  const [first, second] = monitors
  observe(first, 145)
  await ask(0)
  const some = server.keepAliveTimeout
  observe(second, 190)
  await ask(1)
  second[Symbol.dispose]()
  assert.equal(server.keepAliveTimeout, some)
  await ask(1)
  assert.equal(server.keepAliveTimeout, some)
  first[Symbol.dispose]()
  assert.equal(server.keepAliveTimeout, USUAL)
})
