// Faults of the machine and of workers, one after the other, and what is left of a server after them.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { Agent } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { counters, quiet } from './express-hostile.mjs'
import { bothOf, endAll, get, native, start, within } from './express-tools.mjs'

const folder = mkdtempSync(join(tmpdir(), 'seawall-faults-'))
after(() => {
  endAll()
  rmSync(folder, { recursive: true, force: true })
})

const hasPython = spawnSync('python3', ['-c', '']).status === 0
if (!hasPython) console.error('SKIPPED LOUDLY: options of sockets, for want of python3')
const isLinux = process.platform === 'linux'

/** Kills the worker `pid`, again and again, until its place is given up. */
async function giveUp(server, pid) {
  const before = server.messages.length
  process.kill(pid, 'SIGKILL')
  const { index } = await server.message(
    ({ event }, at) => at >= before && event === 'workerGivenUp',
    30_000,
  )
  return index
}

describe('a server in trouble', { skip: !native && 'native only' }, () => {
  test('a place that was given up is taken again by a reload, and counts as any other', async () => {
    const BAD_WHILE = join(folder, 'bad')
    const options = { respawnLimit: 1, patienceMs: 5000, ejectAfter: 0 }
    const server = await start({ BAD_WHILE }, { options })
    const [first] = (await server.stats()).workers
    writeFileSync(BAD_WHILE, '')
    assert.equal(await giveUp(server, first.pid), 0)
    assert.equal((await get(server.port)).status, 200, 'the other one serves')
    rmSync(BAD_WHILE)
    await server.ask('reload')
    assert.equal((await bothOf(server.port)).length, 2)
    const ready = (await server.stats()).workers.map(worker => worker.ready)
    assert.deepEqual(ready, [true, true])
    // Were the first still thought to be given up, this would be the end of the server.
    writeFileSync(BAD_WHILE, '')
    assert.equal(await giveUp(server, (await server.stats()).workers[1].pid), 1)
    assert.equal((await get(server.port)).status, 200)
    assert.equal(await server.stop(), 0)
  })

  test('a primary without descriptors: clients wait, and a worker that dies is started later', async () => {
    const prefix = ['sh', '-c', 'ulimit -n 256; exec "$0" "$@"']
    const server = await start({}, { prefix, options: { patienceMs: 8000, ejectAfter: 0 } })
    const [{ pid }] = (await server.stats()).workers
    const before = await server.ask('fds')
    await server.ask('exhaust')
    const cpu = await server.ask('cpu')
    const began = performance.now()
    process.kill(pid, 'SIGKILL')
    const all = await Promise.all(
      Array.from({ length: 20 }, () => get(server.port, '/', { ms: 15_000 })),
    )
    assert.ok(all.every(({ status }) => status === 200))
    const took = performance.now() - began
    const { user, system } = await server.ask('cpu')
    const busy = (user + system - cpu.user - cpu.system) / 1000
    assert.ok(busy < took / 2 + 200, `busy for ${busy} of ${took} ms`)
    const died = server.messages.findIndex(({ event }) => event === 'workerExited')
    await server.message(({ event }, at) => at > died && event === 'workerReady', 30_000)
    assert.equal((await bothOf(server.port)).length, 2)
    assert.ok(await quiet(server))
    assert.equal(await server.ask('fds'), before)
    assert.equal(await server.stop(), 0)
  })

  for (const [wanted, noDelay, keepAlive, idle] of [
    [{}, 1, 0],
    [{ keepAlive: true, keepAliveInitialDelay: 77_000 }, 1, 1, 77],
    [{ noDelay: false }, 0, 0],
  ]) {
    test(`connections are as the server wants them: ${JSON.stringify(wanted)}`, {
      skip: !(hasPython && isLinux) && 'no python3',
    }, async () => {
      const server = await start({ SERVER: JSON.stringify(wanted) }, { options: { workers: 1 } })
      // The first of a worker is adopted in another way than the others.
      for (let n = 0; n < 2; n++) {
        const { body } = await get(server.port, '/manners', { ms: 20_000 })
        assert.deepEqual([body.noDelay, body.keepAlive], [noDelay, keepAlive])
        if (idle) assert.equal(body.idle, idle)
      }
      assert.equal(await server.stop(), 0)
    })
  }

  test('a worker whose clock says what is no time does no harm to the front', async () => {
    const options = { loadBalancer: 'peakEwma', patienceMs: 5000 }
    const server = await start({}, { options })
    for (let n = 0; n < 4; n++) await get(server.port, '/clock')
    for (let n = 0; n < 40; n++) assert.equal((await get(server.port)).status, 200)
    const { workers, counts } = await server.stats()
    for (const { latencyMs } of workers) assert.ok(latencyMs >= 0, `${latencyMs}`)
    assert.deepEqual([counts.workers, counts.refused], [2, 0])
    assert.ok(await quiet(server), JSON.stringify(counters(counts)))
    assert.equal(await server.stop(), 0)
  })

  test('ports of workers are their own: what comes there does not pass through the primary', async () => {
    const probe = createServer().listen(0, '127.0.0.1')
    await once(probe, 'listening')
    const { port: baseWorkerPort } = probe.address()
    probe.close()
    await once(probe, 'close')
    const options = { mode: 'proxy', workers: 1, baseWorkerPort }
    const server = await start({}, { options })
    const blocked = server.ask('block')
    let isBlocked = true
    void blocked.then(() => {
      isBlocked = false
    })
    await sleep(200)
    // Only the front is served there; whoever else comes is sent away by the worker itself.
    await assert.rejects(get(baseWorkerPort, '/', { ms: 20_000 }), { code: 'ECONNRESET' })
    assert.ok(isBlocked, 'while the primary could do nothing')
    await blocked
    assert.equal(await server.stop(), 0)
  })

  for (const mode of ['handoff', 'proxy', 'http']) {
    test(`what a killed primary leaves is removed by the next one (${mode})`, {
      skip: !isLinux && 'Linux only',
    }, async () => {
      const places = [tmpdir(), '/dev/shm'].filter(place => existsSync(place))
      const list = () =>
        places.flatMap(place =>
          readdirSync(place)
            .filter(name => name.startsWith('seawall-'))
            .map(name => join(place, name)),
        )
      const before = new Set(list())
      const first = await start({}, { options: { mode } })
      const made = list().filter(path => !before.has(path) && path.includes(`-${first.child.pid}-`))
      assert.ok(made.length > 0)
      first.child.kill('SIGKILL')
      assert.equal(await first.exited, 'SIGKILL')
      assert.ok(made.some(path => existsSync(path)))
      const alive = await start({}, { options: { mode } })
      assert.deepEqual(
        made.filter(path => existsSync(path)),
        [],
      )
      const third = await start({}, { options: { mode } })
      assert.equal((await get(alive.port)).status, 200, 'one that runs is left alone')
      assert.ok(list().some(path => path.includes(`-${alive.child.pid}-`)))
      assert.equal(await alive.stop(), 0)
      assert.equal(await third.stop(), 0)
    })
  }

  test('a port that is taken ends a program that does not catch it, with one error', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address()
    const text = `import { createServer } from 'node:http'; import { startServer } from 'seawall/express'
      await startServer(createServer(), { host: '127.0.0.1', port: ${port}, workers: 1 })`
    const file = join(import.meta.dirname, `fixtures/taken-${process.pid}.mjs`)
    writeFileSync(file, text)
    try {
      const options = { encoding: 'utf8', timeout: 60_000 }
      const { status, stderr } = spawnSync(process.execPath, [file], options)
      assert.equal(status, 1)
      const said = stderr.match(/cannot listen on 127\.0\.0\.1:\d+: another process listens there/g)
      assert.equal(said?.length, 1, stderr)
    } finally {
      rmSync(file)
      other.close()
    }
  })

  for (const mode of native ? ['handoff', 'cluster'] : ['cluster']) {
    test(`${mode}: what is under way outlives a primary that is killed, its workers do not`, async () => {
      const port = mode === 'cluster' ? await freePort() : 0
      const server = await start({}, { options: { mode, port } })
      const pids = (await server.stats()).workers.map(({ pid }) => pid)
      const answers = [1, 2, 3, 4].map(() => get(port || server.port, '/slow?ms=1500'))
      await sleep(300)
      server.child.kill('SIGKILL')
      assert.equal(await server.exited, 'SIGKILL')
      const ended = await Promise.all(answers)
      assert.deepEqual(
        ended.map(({ status }) => status),
        [200, 200, 200, 200],
      )
      const gone = async () => {
        while (pids.some(isThere)) await sleep(20)
      }
      await within(8_000, gone(), () => `the end of ${pids}`)
    })
  }

  test('a worker with sockets of its own waits for nobody once its primary is killed', {
    skip: !native && 'native only',
  }, async () => {
    const options = { mode: 'proxy', workers: 1, gracefulShutdownTimeoutMs: 60_000 }
    const server = await start({ FRAMEWORK: 'own' }, { options })
    const [{ pid }] = (await server.stats()).workers
    const agent = new Agent({ keepAlive: true })
    assert.equal((await get(server.port, '/', { agent })).status, 200)
    server.child.kill('SIGKILL')
    const gone = async () => {
      while (isThere(pid)) await sleep(20)
    }
    await within(20_000, gone(), () => `the end of ${pid}`)
    agent.destroy()
  })

  test('workers end when their primary is killed', async () => {
    const server = await start({}, { options: { gracefulShutdownTimeoutMs: 500 } })
    const pids = (await server.stats()).workers.map(({ pid }) => pid)
    server.child.kill('SIGKILL')
    const gone = async () => {
      while (pids.some(isThere)) await sleep(20)
    }
    await within(30_000, gone(), () => `the end of ${pids}`)
  })
})

async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address()
  probe.close()
  await once(probe, 'close')
  return port
}

function isThere(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
