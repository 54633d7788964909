// When the native thread refuses at all: what JavaScript would let in is JavaScript's to decide.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import { createRequire } from 'node:module'
import { afterEach, describe, it } from 'node:test'
import { engineKind } from 'seawall'
import { PressureMonitor, pressureMiddleware, refuseNatively } from 'seawall/pressure'

const skip = engineKind() === 'native' ? false : 'needs the native engine'
const linux = process.platform === 'linux' ? false : 'needs epoll'
const require = createRequire(import.meta.url)

const servers = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

/** What a server on this machine answers to a request on a connection of its own. */
async function get(server) {
  const { port } = server.address()
  const signal = AbortSignal.timeout(30_000)
  const request = http.get({ host: '127.0.0.1', port, agent: false, signal })
  const [response] = await once(request, 'response')
  response.resume()
  await once(response, 'end')
  return response.statusCode
}

async function listening(handler) {
  const server = http.createServer(handler)
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

describe('the native thread', { skip }, () => {
  it('refuses nobody below the level full, whatever came before', async () => {
    const monitor = new PressureMonitor({ source: 'manual' })
    const shed = pressureMiddleware(monitor, { priority: () => 'high' })
    const server = await listening((request, response) =>
      shed(request, response, () => response.end('served')),
    )
    const refusals = refuseNatively(server, monitor)
    monitor.observe({ block: 130 })
    for (let i = 0; i < 50; i++) assert.equal(monitor.admit({ priority: 'high' }), undefined)
    monitor.observe({ block: 130 })
    assert.equal(monitor.admit({ priority: 'high' }), undefined)
    for (let round = 0; round < 5; round++) assert.equal(await get(server), 200)
    assert.equal(refusals.counts().accepted, 0)

    monitor.observe({ block: 300 })
    assert.equal(await get(server), 503)
    assert.equal(refusals.counts().refused, 1)
    for (let round = 0; round < 2; round++) monitor.observe({ block: 130 })
    assert.equal(await get(server), 200)
  })

  it('refuses from the moment on at which JavaScript stops to accept', {
    skip: linux,
  }, async () => {
    const monitor = new PressureMonitor({ source: 'manual', dryRun: true })
    monitor.observe({ block: 300 })
    const { sharedObjects } = process.report.getReport()
    const addon = require(sharedObjects.find(file => /seawall[^/]*[.]node$/.test(file)))
    const server = await listening((_, response) => response.end('served'))
    refuseNatively(server, monitor)
    // What has been opened in this process, this server among it.
    const numbers = Array.from({ length: 20 }, (_, index) => index + 1)
    const settled = () => numbers.filter(number => addon.refusalsSettle(number))
    assert.deepEqual(settled(), [])
    assert.equal(await get(server), 200)
    // Nobody tells the thread of it: whoever settles is the first who sees it.
    monitor.update({ dryRun: false })
    assert.equal(settled().length, 1)
    assert.equal(await get(server), 503)
  })
})
