// Servers on several workers: real processes, real connections. Native and on Unix only.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Agent, createServer } from 'node:http'
import { connect } from 'node:net'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { cases } from './express-cases.mjs'
import { endAll, get, native, start } from './express-tools.mjs'

after(endAll)

describe('connections handed over', { skip: !native && 'native only' }, () => {
  cases('handoff')

  test('keep-alive connections stay with their worker', async () => {
    const server = await start()
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const pids = new Set()
    for (let n = 0; n < 5; n++) pids.add((await get(server.port, '/', { agent })).body.pid)
    agent.destroy()
    assert.equal(pids.size, 1)
    assert.equal(await server.stop(), 0)
  })

  test('a crash loop ends: at most six starts a worker, then a clear error and a failure', async () => {
    // On a busy machine the starts alone take longer than a worker may take by default.
    const server = await start({ CRASH: '1' }, { options: { gracefulShutdownTimeoutMs: 60_000 } })
    assert.match(server.up.failed, /every worker died again and again/)
    assert.equal(server.up.code, 'SEAWALL_NO_WORKER')
    assert.equal(await server.exited, 1)
    const starts = index =>
      server.messages.filter(({ event, index: of }) => event === 'workerStarted' && of === index)
    // One of them may be given up a moment before the other.
    for (const index of [0, 1]) assert.ok(starts(index).length <= 6, `${starts(index).length}`)
    assert.ok(starts(0).length + starts(1).length >= 11, 'tried five times again')
  })

  test('a taken port is one clear error and a failure, and no worker is started', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address()
    const server = await start({}, { options: { port } })
    assert.equal(server.up.code, 'EADDRINUSE')
    assert.equal(
      server.up.failed,
      `startServer: cannot listen on 127.0.0.1:${port}: another process listens there`,
    )
    assert.equal(await server.exited, 1)
    assert.equal(server.messages.filter(({ failed }) => failed).length, 1)
    assert.ok(server.messages.every(({ event }) => event !== 'workerStarted'))
    other.close()
  })

  describe('balancer functions', () => {
    test('are asked at once about a client that ends within its head', async () => {
      const options = { requestInspectionTimeoutMs: 5000 }
      const server = await start({ BALANCER: 'path' }, { options })
      const socket = connect(server.port, '127.0.0.1').on('error', () => {})
      const began = performance.now()
      socket.write('GET /b HTTP/1.1\r\nHo')
      await sleep(100)
      socket.resume().end()
      await once(socket, 'close')
      assert.ok(performance.now() - began < 3000)
      assert.equal(await server.stop(), 0)
    })
  })

  test('stopServer ends it from within', async () => {
    const server = await start()
    await get(server.port)
    await server.ask('stop')
    assert.equal(await server.exited, 0)
  })
})
