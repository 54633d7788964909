// What programs give a server, and what they do beside it.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { setServerConfig } from 'seawall/express'
import { endAll, get, native, start, within } from './express-tools.mjs'

after(endAll)

describe('a logger', () => {
  test('is called as the object that it is', () => {
    class Counting {
      #count = 0
      info() {
        return ++this.#count
      }
    }
    const { info } = console
    const { logger } = setServerConfig({ logger: new Counting() })
    assert.equal(logger.info(), 1)
    assert.equal(logger.info(), 2)
    assert.equal(setServerConfig({ logger: { info } }).logger.info, info, 'a plain one as it is')
  })

  test('whose methods are not its own hears of a server', { skip: !native }, async () => {
    const server = await start({ LOGGER: 'methods' })
    const heard = server.messages.filter(({ method }) => method?.includes('listening on'))
    assert.equal(heard.length, 3)
    assert.equal(await server.stop(), 0)
  })

  test('that throws keeps no worker from being started again', { skip: !native }, async () => {
    const server = await start({ LOGGER: 'throwing' }, { options: { workers: 1 }, quiet: true })
    const [{ pid }] = (await server.stats()).workers
    process.kill(pid, 'SIGKILL')
    const again = ({ event }, at, all) => event === 'workerReady' && all[at].pid !== pid
    await server.message(again)
    assert.equal(await server.stop(), 0)
  })
})

describe('a program', { skip: !native && 'native only' }, () => {
  test('with another server, which listens while a framework starts, keeps both', async () => {
    const server = await start({ FRAMEWORK: 'admin' }, { options: { workers: 1 } })
    const { admin } = await server.message(({ admin }) => admin)
    assert.deepEqual((await get(admin)).body, { admin: true })
    const [{ pid }] = (await server.stats()).workers
    assert.equal((await get(server.port)).body.pid, pid)
    assert.equal(await server.stop(), 0)
  })

  for (const BALANCER of ['id', 'empty']) {
    test(`whose balancer answers no candidate (${BALANCER}) is told, and its client is not kept`, async () => {
      const server = await start({ BALANCER, TELEMETRY: '1' }, { quiet: true })
      await assert.rejects(get(server.port), { code: 'ECONNRESET' })
      const { because } = await server.message(({ error }) => error?.includes('connection error'))
      assert.match(because, /answered what is no candidate/)
      await server.message(({ telemetry }) => telemetry === 'proxy_errors')
      assert.equal((await server.counts()).asked, 0)
      assert.equal(await server.stop(), 0)
    })
  }

  test('that catches what a worker failed with after it listened gets another worker', async () => {
    const options = { mode: 'proxy', workers: 1 }
    const server = await start({ NO_BOARD: '2' }, { options, quiet: true })
    const [{ pid }] = (await server.stats()).workers
    process.kill(pid, 'SIGKILL')
    await server.message(({ error }) => error?.includes('worker error'))
    const third = ({ event }, at, all) =>
      event === 'workerReady' &&
      all.slice(0, at + 1).filter(each => each.event === event).length === 2
    await server.message(third)
    assert.equal((await get(server.port)).status, 200)
    assert.equal(await server.stop(), 0)
  })
})

describe('a client that sends several requests and leaves', { skip: !native }, () => {
  test('is not counted any more', async () => {
    const server = await start({}, { options: { workers: 1 } })
    const socket = connect(server.port, '127.0.0.1').on('error', () => {})
    await once(socket, 'connect')
    socket.write('GET /slow?ms=400 HTTP/1.1\r\nHost: here\r\n\r\n'.repeat(3))
    const inFlight = async () => (await server.stats()).workers[0].inFlight
    const becomes = async count => {
      while ((await inFlight()) !== count) await sleep(20)
    }
    await within(10_000, becomes(3), () => 'three requests')
    socket.destroy()
    await within(10_000, becomes(0), () => 'none')
    await sleep(600)
    assert.equal(await inFlight(), 0)
    assert.equal(await server.stop(), 0)
  })
})
