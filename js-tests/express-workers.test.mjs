// Workers that start, are replaced and end while something else happens to them.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { endAll, get, native, start, within } from './express-tools.mjs'

after(endAll)

const named =
  (name, nth = 1) =>
  ({ event }, at, messages) =>
    event === name && messages.slice(0, at + 1).filter(({ event }) => event === name).length === nth

const workerOf = async ({ stats }) => (await stats()).workers[0].pid

describe('workers', { skip: !native && 'native only' }, () => {
  test('a reload waits for the new worker, not for another one of its place', async () => {
    // The third one is a release that hangs.
    const options = { workers: 1, gracefulShutdownTimeoutMs: 500 }
    const server = await start({ DELAY: '1000', HANG: '3' }, { options })
    process.kill(await workerOf(server), 'SIGKILL')
    const { pid } = await server.message(named('workerStarted', 2))
    const reload = server.ask('reload')
    const refused = assert.rejects(reload, { code: 'SEAWALL_RELOAD' })
    await server.message(named('workerStarted', 3))
    await server.message(named('workerReady', 2))
    for (let n = 0; n < 5; n++) {
      assert.equal((await get(server.port)).body.pid, pid)
      await sleep(100)
    }
    await refused
    assert.equal((await get(server.port)).body.pid, pid)
    assert.equal(await server.stop(), 0)
  })

  test('a worker that is replaced before it was ever ready is ended at once', async () => {
    const options = { workers: 1, installSignalHandlers: false, gracefulShutdownTimeoutMs: 20_000 }
    const server = await start({ HANG: '2' }, { options })
    process.kill(await workerOf(server), 'SIGKILL')
    const { pid: old } = await server.message(named('workerStarted', 2))
    const reload = server.ask('reload')
    await within(15_000, reload, () => 'the end of one that hangs')
    const gone = server.messages.find(({ event, pid }) => event === 'workerExited' && pid === old)
    assert.equal(gone.signal, 'SIGTERM')
    assert.equal((await get(server.port)).status, 200)
    await server.ask('stop')
    assert.equal(await server.exited, 0)
  })

  test('an error of a worker process does not end the end', async () => {
    const server = await start({}, { options: { workers: 2 } })
    const answers = [1, 2].map(() => get(server.port, '/slow?ms=1500'))
    await sleep(200)
    const stopped = server.ask('stop')
    await sleep(300)
    await server.ask('broken')
    for (const { status } of await Promise.all(answers)) assert.equal(status, 200)
    await stopped
    assert.equal(await server.exited, 0)
  })

  test('no worker is started once the server ends', async () => {
    const options = { workers: 1 }
    const server = await start({ STOP_AT: 'workerExited' }, { options })
    const worker = await workerOf(server)
    process.kill(worker, 'SIGSTOP')
    // Waits for a worker, so that the end takes longer than the wait before a new start.
    const answer = get(server.port)
    await sleep(100)
    process.kill(worker, 'SIGKILL')
    assert.equal((await answer).status, 503)
    assert.equal(await server.exited, 0)
    const started = server.messages.filter(({ event }) => event === 'workerStarted')
    assert.equal(started.length, 1)
  })

  test('stopServer(false) ends a stop that waits', async () => {
    const server = await start({}, { options: { gracefulShutdownTimeoutMs: 60_000 } })
    const cut = assert.rejects(get(server.port, '/slow?ms=50000', { ms: 60_000 }))
    await sleep(200)
    const stopped = server.ask('stop')
    await sleep(300)
    await server.ask('stopNow')
    await Promise.all([stopped, cut])
    assert.equal(await server.exited, 0)
  })

  test('and in a worker', async () => {
    const options = { workers: 1, gracefulShutdownTimeoutMs: 60_000 }
    const server = await start({}, { options })
    const cut = assert.rejects(get(server.port, '/slow?ms=50000', { ms: 30_000 }), {
      code: 'ECONNRESET',
    })
    const socket = await connected(server.port)
    await sleep(100)
    await get(server.port, '/leave')
    // On a connection that was there: the worker takes no new ones.
    socket.write('GET /hurry HTTP/1.1\r\nHost: here\r\n\r\n')
    await cut
    socket.destroy()
    assert.equal(await server.stop(), 0)
  })

  test('a worker that cannot listen, in a program that catches that, is started again', async () => {
    const { server: probe, port } = await listening(0)
    probe.close()
    await once(probe, 'close')
    const options = { mode: 'proxy', workers: 1, baseWorkerPort: port }
    const server = await start({ DELAY: '500' }, { options })
    process.kill(await workerOf(server), 'SIGKILL')
    await server.message(named('workerExited'))
    const { server: other } = await listening(port)
    const { because } = await server.message(({ error }) => error?.includes('worker error'))
    assert.match(because, /EADDRINUSE/)
    other.close()
    await server.message(named('workerReady', 2))
    assert.equal((await get(server.port)).status, 200)
    assert.equal(await server.stop(), 0)
  })
})

async function connected(port) {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

async function listening(port) {
  const server = createServer().listen(port, '127.0.0.1')
  await once(server, 'listening')
  return { server, port: server.address().port }
}
