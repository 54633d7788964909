// Connections whose bytes are carried, while workers die, are stuck or are replaced, and clients are
// of the worst kind. Native only.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { Agent } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { quiet } from './express-hostile.mjs'
import { openClients, refused } from './express-open.mjs'
import { endAll, get, inOneTry, native, start, workersOf } from './express-tools.mjs'

after(endAll)

const proxy = (env, { options, ...more } = {}) =>
  start(env, { ...more, options: { mode: 'proxy', ...options } })
const linux = { skip: process.platform !== 'linux' && 'reads /proc' }

describe('carried all the same', { skip: !native && 'native only' }, () => {
  test('a worker that is killed takes its own connections with it, and nobody else', async () => {
    const server = await proxy()
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const { pid } = (await get(server.port, '/', { agent })).body
    const under = get(server.port, '/slow?ms=3000', { agent })
    await sleep(50)
    process.kill(pid, 'SIGKILL')
    await assert.rejects(under, { code: 'ECONNRESET' })
    const answers = await Promise.all(Array.from({ length: 20 }, () => get(server.port)))
    assert.ok(answers.every(({ status }) => status === 200))
    assert.ok(await quiet(server))
    assert.equal((await server.counts()).open, 0)
    assert.equal(await server.stop(), 0)
  })

  test('a worker nobody can connect to is left out, and nothing is lost', linux, async () => {
    const server = await proxy()
    const [pid] = await workersOf(server.port)
    const variables = readFileSync(`/proc/${pid}/environ`, 'latin1')
    const [, folder] = /SEAWALL_WORKER_FOLDER=([^\0]+)/.exec(variables)
    rmSync(join(folder, `worker-${pid}`))
    const answers = await Promise.all(Array.from({ length: 20 }, () => get(server.port)))
    assert.ok(answers.every(({ status, body }) => status === 200 && body.pid !== pid))
    assert.ok((await server.counts()).takenBack >= 1)
    assert.equal(await server.stop(), 0)
  })

  test('where nobody can be connected to, a client is refused when its patience is over', async () => {
    const server = await proxy({}, { options: { workers: 1, patienceMs: 200, ejectAfter: 0 } })
    assert.equal((await get(server.port, '/deaf')).status, 200)
    const { status, headers } = await get(server.port, '/', { ms: 20_000 })
    assert.equal(status, 503)
    assert.match(headers['retry-after'], /^[12]$/)
    assert.ok(await quiet(server))
    assert.equal(await server.stop(), 0)
  })

  test('without patience, who has not been asked is asked all the same', () =>
    inOneTry(async () => {
      const server = await proxy({}, { options: { patienceMs: 0, ejectAfter: 0 } })
      const { pid } = (await get(server.port, '/deaf')).body
      for (let n = 0; n < 10; n++) {
        const { status, body } = await get(server.port)
        assert.equal(status, 200)
        assert.notEqual(body.pid, pid)
      }
      assert.ok(await quiet(server))
      assert.equal(await server.stop(), 0)
    }))

  test('an upload the server does not want gets its answer', async () => {
    const server = await proxy({ FRAMEWORK: 'refusing' })
    for (let n = 0; n < 5; n++) {
      const socket = connect(server.port, '127.0.0.1')
      socket.on('error', () => {})
      socket.write('POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 50000000\r\n\r\n')
      const part = Buffer.alloc(65_536)
      const more = setInterval(() => socket.write(part), 1)
      let text = ''
      for await (const bytes of socket) {
        text += bytes
        if (text.includes('too much')) break
      }
      clearInterval(more)
      assert.match(text, /^HTTP\/1.1 413/)
    }
    assert.ok(await quiet(server))
    assert.equal(await server.stop(), 0)
  })

  test('for want of descriptors when it is to listen, it listens as soon as there is one', async () => {
    const prefix = ['sh', '-c', 'ulimit -n 256; exec "$0" "$@"']
    const options = { workers: 1 }
    const server = await proxy({ EXHAUST_AT: 'workerReady' }, { prefix, options })
    assert.equal((await get(server.port, '/', { ms: 20_000 })).status, 200)
    assert.equal(await server.stop(), 0)
  })

  test('idle connections cost next to nothing', async () => {
    const server = await proxy()
    // The least of some: the runtime has work of its own now and then, and more on a busy machine.
    const spends = async () => {
      const spent = []
      for (let n = 0; n < 4; n++) {
        const before = await server.ask('cpu')
        await sleep(1000)
        const { user, system } = await server.ask('cpu')
        spent.push(user + system - before.user - before.system)
      }
      return Math.min(...spent)
    }
    const alone = await spends()
    const sockets = Array.from({ length: 200 }, () => connect(server.port, '127.0.0.1'))
    await Promise.all(sockets.map(socket => once(socket, 'connect')))
    // Starved workers take their time until they have taken all of them.
    while ((await server.counts()).open < sockets.length) await sleep(50)
    await sleep(1500)
    const more = (await spends()) - alone
    assert.ok(more < 15_000, `${more} µs more in a second than the ${alone} without them`)
    for (const socket of sockets) socket.destroy()
    assert.ok(await quiet(server))
    assert.equal(await server.stop(), 0)
  })

  test('stopped at once, it drops what is under way, and can be started again', async () => {
    const server = await proxy()
    const under = assert.rejects(get(server.port, '/slow?ms=5000'))
    await sleep(100)
    await server.ask('stopNow')
    await under
    assert.equal(await server.exited, 0)
    const other = await proxy()
    const before = await workersOf(other.port)
    const { port } = await other.ask('restart')
    assert.ok(!before.includes((await get(port)).body.pid))
    assert.equal(await other.stop(), 0)
  })

  test('where the application has its own sockets, the end answers who asks late all the same', () =>
    inOneTry(async () => {
      const server = await proxy({ FRAMEWORK: 'own' })
      const clients = await openClients(server)
      const stopped = server.stop()
      await refused(server.port)
      await sleep(400)
      const answers = await Promise.all(clients.map(({ ask }) => ask()))
      const lost = answers.filter(answer => !answer?.startsWith('HTTP/1.1 200 ')).length
      assert.equal(lost, 0, 'lost')
      for (const { ended } of clients) await ended
      assert.equal(await stopped, 0)
    }))

  test('and waits for the answer to a request whose head a balancer has read', async () => {
    const server = await proxy({ FRAMEWORK: 'own', BALANCER: 'path' })
    const answer = get(server.port, '/slow?ms=3000')
    await sleep(300)
    const stopped = server.stop()
    assert.equal((await answer).status, 200)
    assert.equal(await stopped, 0)
  })

  test('nothing of it is left behind', linux, async () => {
    const server = await proxy()
    const [pid] = await workersOf(server.port)
    const variables = readFileSync(`/proc/${pid}/environ`, 'latin1')
    const [, folder] = /SEAWALL_WORKER_FOLDER=([^\0]+)/.exec(variables)
    const [, boards] = /SEAWALL_WORKER_BOARDS=([^\0]+)/.exec(variables)
    assert.deepEqual(readdirSync(boards), [], 'both have it, nobody needs its name')
    assert.equal(await server.stop(), 0)
    for (const path of [folder, boards]) assert.throws(() => readdirSync(path), { code: 'ENOENT' })
  })
})
