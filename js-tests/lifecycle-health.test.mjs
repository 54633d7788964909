// @ts-check
// Lifecycle, health checks, probe server and a reconnecting client as one service has them.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { EventEmitter } from 'node:events'
import { request } from 'node:http'
import { afterEach, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { engineKind, list } from 'seawall'
import { HealthChecks, startProbeServer } from 'seawall/health'
import { Lifecycle, reconnecting } from 'seawall/lifecycle'

const isNative = engineKind() === 'native' && process.platform !== 'win32'

// Node 22 knows no `using`.
const open = []
const closing = what => {
  open.push(what)
  return what
}
afterEach(async () => {
  for (const what of open.splice(0).reverse()) {
    await (what[Symbol.asyncDispose] ?? what[Symbol.dispose]).call(what)
  }
})

/** The status of a path, and what it says; `refused` where nobody listens. */
function get(port, path) {
  return new Promise(resolve => {
    request({ host: '127.0.0.1', port, path, agent: false, timeout: 5000 }, response => {
      let text = ''
      response.setEncoding('utf8').on('data', part => (text += part))
      response.on('end', () => resolve({ status: response.statusCode, text }))
      response.on('error', () => resolve({ status: 'broken', text }))
    })
      .on('error', error => resolve({ status: 'refused', text: String(error) }))
      .end()
  })
}

/** Asks until the status is this one. */
async function becomes(port, path, status) {
  let answer = await get(port, path)
  for (let i = 0; i < 500 && answer.status !== status; i++) {
    await sleep(10)
    answer = await get(port, path)
  }
  assert.equal(answer.status, status, answer.text)
  return answer.text
}

class Client extends EventEmitter {
  static up = true
  async connect() {
    if (!Client.up) throw new Error('ECONNREFUSED')
  }
  async end() {
    this.emit('end')
  }
}

for (const kind of /** @type {('native' | 'javascript')[]} */ (
  isNative ? ['native', 'javascript'] : ['javascript']
)) {
  test(`readiness follows the connection and the drain, liveness neither (${kind} probe server)`, async () => {
    let client = new Client()
    const db = closing(
      reconnecting(
        () => {
          client = new Client()
          return client
        },
        { backoff: list({ delaysMs: [20], repeatLast: true }), stableMs: 0 },
      ),
    )
    const checks = closing(new HealthChecks())
    checks.add('db', () => db.check(), { kind: 'readiness', intervalMs: 20 })
    const probes = closing(await startProbeServer({ port: 0, host: '127.0.0.1', checks, kind }))
    const { port } = /** @type {any} */ (probes.address())
    const exited = Promise.withResolvers()
    const life = closing(new Lifecycle({ exit: code => exited.resolve(code) }))
    life.start({ graceMs: 10_000, marginMs: 100, drainDelayMs: 150, health: checks })

    assert.match(await becomes(port, '/readyz', 503), /no db connection|db/)
    await db.connect()
    await becomes(port, '/readyz', 200)
    Client.up = false
    client.emit('end')
    assert.match(await becomes(port, '/readyz', 503), /db/)
    assert.equal((await get(port, '/livez')).status, 200)
    Client.up = true
    await becomes(port, '/readyz', 200)

    const seen = []
    const probe = async where => {
      const [ready, live] = await Promise.all([get(port, '/readyz'), get(port, '/livez')])
      seen.push(`${where} ${ready.status} ${live.status}`)
    }
    life.onShutdown('pool', () => probe('hooks'), { phase: 'db' })
    life.onShutdown('last', () => probe('logs'), { phase: 'logs' })
    const end = life.shutdown('test')
    // At once, in the same turn.
    assert.deepEqual(
      [checks.verdict('readiness').reason, checks.verdict('liveness').passing],
      ['draining', true],
    )
    await probe('notReady')
    assert.equal(await end, 0)
    assert.equal(await exited.promise, 0)
    await probe('exit')
    assert.deepEqual(seen, ['notReady 503 200', 'hooks 503 200', 'logs 503 200', 'exit 503 200'])
  })
}

test('what cannot recover is neither ready nor live, whoever is asked first', async () => {
  for (const late of [false, true]) {
    const checks = closing(new HealthChecks())
    const probes = closing(await startProbeServer({ port: 0, host: '127.0.0.1', checks }))
    const { port } = /** @type {any} */ (probes.address())
    const life = closing(new Lifecycle({ exit: () => {} }))
    if (!late) life.useHealth(checks)
    assert.equal((await get(port, '/livez')).status, 200)
    life.setUnrecoverableError(new Error('the index is corrupt'))
    if (late) life.useHealth(checks)
    assert.equal(checks.verdict('liveness').passing, false)
    const live = await get(port, '/livez')
    assert.equal(live.status, 503)
    assert.match(live.text, /the index is corrupt/)
    assert.equal((await get(port, '/readyz')).status, 503)
  }
})

test('the native probe server says so until the very end, with JavaScript blocked', {
  skip: isNative ? false : 'only threads of the native engine can do this',
}, async () => {
  const child = spawn(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `import { HealthChecks, startProbeServer } from 'seawall/health'
       import { lifecycle } from 'seawall/lifecycle'
       const checks = new HealthChecks()
       const probes = await startProbeServer({ port: 0, host: '127.0.0.1', checks })
       const life = lifecycle({ graceMs: 4000, marginMs: 2000, hooksMs: 1500, health: checks })
       life.onShutdown('pool', () => { console.log('blocked'); for (;;); })
       setInterval(() => {}, 100_000); console.log(probes.address().port)`,
    ],
    { cwd: import.meta.dirname, stdio: ['ignore', 'pipe', 'ignore'] },
  )
  const exit = new Promise(resolve => child.on('exit', (...end) => resolve(end)))
  const killer = setTimeout(() => child.kill('SIGKILL'), 30_000)
  let out = ''
  child.stdout.setEncoding('utf8').on('data', chunk => (out += chunk))
  while (!out.includes('\n')) await sleep(5)
  const port = Number(out)
  await becomes(port, '/readyz', 200)
  child.kill('SIGTERM')
  while (!out.includes('blocked')) await sleep(5)
  const seen = new Map()
  for (let status = ''; !status.includes('refused'); await sleep(10)) {
    const [ready, live] = await Promise.all([get(port, '/readyz'), get(port, '/livez')])
    status = `${ready.status} ${live.status}`
    seen.set(status, (seen.get(status) ?? 0) + 1)
  }
  assert.deepEqual(await exit, [75, null])
  clearTimeout(killer)
  assert.ok(seen.get('503 200') >= 10, JSON.stringify([...seen]))
  // The last may have been cut by the end itself, but nobody was ever told to send more.
  assert.deepEqual(
    [...seen.keys()].filter(status => /200 |\b503$/.test(status)),
    [],
  )
})
