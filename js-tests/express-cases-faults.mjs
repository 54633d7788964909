// What every front of workers has to bear, whichever its mode: workers that are stuck, die or are
// replaced, and clients of the worst kind.
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { counters, hostile, quiet } from './express-hostile.mjs'
import { askOnce, connectionOf, openClients, refused } from './express-open.mjs'
import { bothOf, get, inOneTry, workersOf } from './express-tools.mjs'

const reloads = server => server.messages.filter(({ event }) => event === 'reloaded').length

/** The tests of all modes, for one of them; `run` starts a server in it. */
export function fault(mode, run) {
  test('a worker that is stuck gets nothing: everybody else is answered in time', async () => {
    const server = await run()
    await workersOf(server.port)
    // Blocked by a request of its own; the connection of that one was claimed before.
    const stuck = get(server.port, '/block?ms=5000', { ms: 12_000 })
    await sleep(150)
    // What the machine itself holds up, it holds up in this process too.
    const delay = monitorEventLoopDelay({ resolution: 5 })
    delay.enable()
    const begun = performance.now()
    const answers = await Promise.all(
      Array.from({ length: 100 }, async (_, n) => {
        await sleep(n * 10)
        const at = performance.now()
        const { body } = await get(server.port)
        return { pid: body.pid, took: performance.now() - at }
      }),
    )
    assert.ok(performance.now() - begun < 4700, 'all of them while it was stuck')
    assert.equal(new Set(answers.map(({ pid }) => pid)).size, 1, 'by the one that turns')
    const worst = Math.max(...answers.map(({ took }) => took))
    delay.disable()
    assert.ok(worst < 1000 + (2 * delay.max) / 1e6, `${worst} ms`)
    assert.equal((await stuck).status, 200)
    assert.ok(await quiet(server))
    assert.equal((await bothOf(server.port)).length, 2, 'it is back')
    assert.equal(await server.stop(), 0)
  })

  // A front of requests has sent them when it is seen that nobody answers: those are not repeated.
  if (mode !== 'http') {
    test('what a worker did not take goes to another one, and is served once', async () => {
      const server = await run({ FRAMEWORK: 'counting' })
      await workersOf(server.port)
      const stuck = get(server.port, '/block?ms=1500', { ms: 8000 })
      await sleep(10)
      const begun = performance.now()
      const answers = await Promise.all(
        Array.from({ length: 10 }, (_, n) => get(server.port, `/once?n=${n}`)),
      )
      assert.ok(performance.now() - begun < 1000)
      assert.equal(new Set(answers.map(({ body }) => body.pid)).size, 1)
      assert.ok((await server.counts()).takenBack >= 1)
      assert.equal((await stuck).status, 200)
      await sleep(300)
      const served = server.messages.filter(({ once }) => once).map(({ once }) => once)
      assert.deepEqual(served.sort(), [...new Set(served)], 'also when it turns again')
      assert.equal(served.length, 10)
      assert.equal(await server.stop(), 0)
    })
  }

  test('a worker that dies is started again, and meanwhile clients wait', async () => {
    const server = await run({}, { options: { workers: 1, patienceMs: 10_000 } })
    const [before] = await workersOf(server.port, 1)
    // Sent again, a request would take the next one with it.
    process.kill(before, 'SIGKILL')
    await server.message(({ event, pid }) => event === 'workerExited' && pid === before)
    const { body, status } = await get(server.port, '/', { ms: 12_000 })
    assert.equal(status, 200)
    assert.notEqual(body.pid, before)
    assert.match((await server.message(({ warn }) => warn)).warn, /exited, respawning index 0$/)
    assert.equal(await server.stop(), 0)
  })

  test('without a worker a client gets 503 in native code, and the primary lives', async () => {
    const server = await run({}, { options: { respawnWorkers: false, patienceMs: 100 } })
    for (const { pid } of (await server.stats()).workers) {
      process.kill(pid, 'SIGKILL')
      await server.message(({ event, pid: of }) => event === 'workerExited' && of === pid)
    }
    const { status, headers } = await get(server.port)
    assert.equal(status, 503)
    assert.match(headers['retry-after'], /^[12]$/)
    assert.equal(headers.connection, 'close')
    // Nothing that a TLS client could understand is known.
    const tls = connect(server.port, '127.0.0.1')
    tls.write(Buffer.from([0x16, 3, 1, 0, 1, 1]))
    tls.on('error', () => {})
    let bytes = 0
    tls.on('data', part => {
      bytes += part.length
    })
    // Reset or ended.
    await new Promise(resolve => tls.on('close', resolve))
    assert.equal(bytes, 0)
    assert.ok(await quiet(server))
    assert.ok((await server.counts()).refused >= 1)
    assert.equal(await server.stop(), 0)
  })

  test('a reload replaces every worker and loses no request', async () => {
    const server = await run({}, { options: { reloadOnSighup: true } })
    const before = await workersOf(server.port)
    let isOver = false
    let served = 0
    const load = async () => {
      while (!isOver) {
        const { status } = await get(server.port, '/slow?ms=5')
        assert.equal(status, 200)
        served++
      }
    }
    const loads = [load(), load(), load()]
    await server.ask('reload')
    const after = await bothOf(server.port)
    assert.equal(after.length, 2)
    assert.ok(after.every(pid => !before.includes(pid)))
    server.child.kill('SIGHUP')
    await server.message(({ event }) => event === 'reloaded' && reloads(server) === 2)
    isOver = true
    await Promise.all(loads)
    assert.ok(served > 20)
    const { workers, counts } = await server.stats()
    assert.deepEqual(
      workers.map(({ starts, ready }) => [starts, ready]),
      [
        [3, true],
        [3, true],
      ],
    )
    assert.deepEqual([counts.refused, counts.closed, counts.workers], [0, 0, 2])
    const deaths = server.messages.filter(({ event }) => event === 'workerExited')
    assert.deepEqual(
      deaths.map(({ code, expected }) => [code, expected]),
      Array(4).fill([0, true]),
    )
    assert.equal(await server.stop(), 0)
  })

  test('a reload answers who was connected before and asks late', async () => {
    // So long that no server ends them on its own account while the machine is busy.
    const server = await run({ SERVER: '{"keepAliveTimeout":60000}' })
    const clients = await openClients(server)
    const reload = server.ask('reload')
    // Both of the start, and the one that takes over: now the first of the old ones leaves.
    const isReady = ({ event }) => event === 'workerReady'
    await server.message(() => server.messages.filter(isReady).length === 3)
    // Far longer than a worker takes to see that nothing is under way.
    await sleep(400)
    const answers = await Promise.all(clients.map(({ ask }) => ask()))
    const lost = answers.filter(answer => !answer?.startsWith('HTTP/1.1 200 ')).length
    assert.equal(lost, 0, 'lost')
    // Those of the worker that leaves are told to; a front of requests has nobody leave.
    const told = answers.filter(answer => connectionOf(answer) === 'close').length
    if (mode === 'http') assert.equal(told, 0)
    else assert.ok(told > 0)
    for (const { socket } of clients) socket.destroy()
    await reload
    assert.equal(await server.stop(), 0)
  })

  test('the end answers who was connected before and asks late', () =>
    inOneTry(async () => {
      const server = await run()
      const clients = await openClients(server)
      const stopped = server.stop()
      await refused(server.port)
      await sleep(200)
      const answers = await Promise.all(clients.map(({ ask }) => ask()))
      const lost = answers.filter(answer => !answer?.startsWith('HTTP/1.1 200 ')).length
      assert.equal(lost, 0, 'lost')
      assert.ok(answers.every(answer => connectionOf(answer) === 'close'))
      for (const { ended } of clients) await ended
      assert.equal(await stopped, 0)
    }))

  test('the end serves who has asked before it and had no worker yet', () =>
    inOneTry(async () => {
      const server = await run()
      const { workers } = await server.stats()
      for (const { pid } of workers) process.kill(pid, 'SIGSTOP')
      const clients = Array.from({ length: 100 }, () => askOnce(server.port))
      await Promise.all(clients.map(({ connected }) => connected))
      const stopped = server.stop()
      await sleep(200)
      for (const { pid } of workers) process.kill(pid, 'SIGCONT')
      const answers = await Promise.all(clients.map(({ closed }) => closed))
      const served = answers.filter(answer => answer.startsWith('HTTP/1.1 200 ')).length
      assert.equal(served, 100)
      assert.equal(await stopped, 0)
    }))

  test('who is connected and never asks does not hold up the end', async () => {
    const server = await run({}, { options: { gracefulShutdownTimeoutMs: 30_000 } })
    const clients = await openClients(server)
    const began = performance.now()
    assert.equal(await server.stop(), 0)
    assert.ok(performance.now() - began < 15_000)
    for (const { ended } of clients) await ended
  })

  for (const BALANCER of ['', 'path', 'late']) {
    test(`hostile clients leave the primary alive and every count at zero (${BALANCER || 'in turn'})`, async () => {
      const server = await run({ BALANCER }, { options: { patienceMs: 300 } })
      await hostile(server.port, { count: 300, seed: 7 })
      const before = (await quiet(server)) && (await server.ask('fds'))
      await hostile(server.port, { count: 300, seed: 8 })
      assert.ok(await quiet(server), JSON.stringify(await server.counts()))
      const { accepted, handed, refused, closed, ...now } = await server.counts()
      assert.equal(accepted, handed + refused + closed)
      assert.ok(
        counters(now).every(count => count === 0),
        JSON.stringify(now),
      )
      // Connections to workers are kept for a while without a request.
      const most = before + (now.http?.idle ?? 0)
      assert.ok((await server.ask('fds')) <= most, 'no descriptor is left in the primary')
      assert.equal((await get(server.port)).status, 200)
      assert.equal(await server.stop(), 0)
    })
  }

  test('hostile clients and no worker: all of them are refused or closed', async () => {
    const server = await run({}, { options: { patienceMs: 50, respawnWorkers: false } })
    for (const { pid } of (await server.stats()).workers) process.kill(pid, 'SIGKILL')
    await sleep(200)
    await hostile(server.port, { count: 200, seed: 9 })
    assert.ok(await quiet(server), JSON.stringify(await server.counts()))
    const { accepted, handed, refused, closed } = await server.counts()
    assert.deepEqual([accepted, handed], [refused + closed, 0])
    assert.ok(refused > (mode === 'http' ? 10 : 100), `${refused}`)
    assert.equal(await server.stop(), 0)
  })
}
