// `dryRun` of `seawall/fastify` with a monitor that is somebody else's.
import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import Fastify from 'fastify'
import Fastify4 from 'fastify4'
import underPressure from 'seawall/fastify'
import { PressureMonitor, pressureMiddleware } from 'seawall/pressure'

const open = []
afterEach(async () => {
  for (const app of open.splice(0)) await app.close()
})

for (const [name, make] of [
  ['Fastify 5', Fastify],
  ['Fastify 4', Fastify4],
]) {
  test(`${name}: a dry run lets in whom a monitor that was given refuses, and tells`, async () => {
    const monitor = new PressureMonitor({ source: 'manual', inFlight: { soft: 50, hard: 100 } })
    const events = []
    const app = make()
    open.push(app)
    app.register(underPressure, {
      pressure: monitor,
      dryRun: true,
      pressureHandler: () => 'handled',
      onShed: (event, { url }) => events.push([event, url]),
    })
    let underWay
    app.get('/', async () => {
      underWay = monitor.inFlight
      return 'served'
    })
    await app.ready()
    monitor.observe({ block: 1_000 })
    const response = await app.inject('/')
    assert.deepEqual([response.statusCode, response.body], [200, 'served'])
    assert.equal(underWay, 1)
    assert.deepEqual(events.splice(0), [[{ type: 'block', value: 1_000, dryRun: true }, '/']])

    monitor.setMaintenance(true)
    assert.equal((await app.inject('/')).statusCode, 503)
    assert.deepEqual(events.splice(0), [
      [{ type: 'maintenance', value: undefined, dryRun: false }, '/'],
    ])
    monitor.setMaintenance(false)
    monitor.update({ dryRun: true })
    assert.equal((await app.inject('/')).statusCode, 200)
    assert.equal(events.length, 1, 'told once, though both are dry')
    assert.equal(events[0][0].dryRun, true)
  })
}

test('a monitor of its own may end its dry run', async () => {
  const app = Fastify()
  open.push(app)
  app.register(underPressure, { pressure: { source: 'manual' }, dryRun: true })
  app.get('/', async () => 'served')
  await app.ready()
  app.pressureMonitor.observe({ block: 1_000 })
  assert.equal((await app.inject('/')).statusCode, 200)
  app.pressureMonitor.update({ dryRun: false })
  assert.equal((await app.inject('/')).statusCode, 503)
})

test('middleware has no dry run but that of its monitor, and says so', () => {
  const monitor = new PressureMonitor({ source: 'manual' })
  assert.throws(() => pressureMiddleware(monitor, { dryRun: true }), {
    code: 'SEAWALL_INVALID_OPTION',
    message: /dryRun/,
  })
})
