// Several who ask for the health at once, where `seawall/fastify` limits how long a check may take.
import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import Fastify from 'fastify'
import underPressure from 'seawall/fastify'

const open = []
afterEach(async () => {
  for (const app of open.splice(0)) await app.close()
})

/** An app whose check, the first time, is well; then it answers when it is told to. */
async function start(options) {
  const asked = []
  const app = Fastify()
  open.push(app)
  let first = true
  const healthCheck = () => {
    if (first) {
      first = false
      return Promise.resolve(true)
    }
    return new Promise((resolve, reject) => asked.push({ resolve, reject }))
  }
  app.register(underPressure, {
    healthCheck,
    healthCheckTimeout: 5_000,
    exposeStatusRoute: true,
    ...options,
  })
  app.get('/', async () => 'served')
  await app.ready()
  const code = async url => (await app.inject(url)).statusCode
  return { app, asked, code }
}

/** Turns of the loop, in which whatever can go on goes on. */
async function turns(count = 20) {
  for (let turn = 0; turn < count; turn++) await new Promise(resolve => setImmediate(resolve))
}

test('who asks while a check is under way gets its answer', async () => {
  const { app, asked, code } = await start()
  const codes = [code('/status'), code('/status')]
  await turns()
  assert.equal(asked.length, 1, 'one question for both')
  assert.equal(app.isUnderPressure(), false)
  assert.equal(await code('/'), 200)
  asked[0].resolve({ database: 'well' })
  assert.deepEqual(await Promise.all(codes), [200, 200])
  assert.equal(await code('/'), 200)

  const next = [code('/status'), code('/status')]
  await turns()
  assert.equal(asked.length, 2, 'asked anew once it was answered')
  asked[1].reject(new Error('gone'))
  assert.deepEqual(await Promise.all(next), [503, 503])
  assert.equal(await code('/'), 503)
})

test('a check in the background gets the answer of one that a probe asked for', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { app, asked, code } = await start({ healthCheckInterval: 1_000 })
  const probe = code('/status')
  await turns()
  assert.equal(asked.length, 1)
  t.mock.timers.tick(1_000)
  await turns()
  assert.deepEqual([asked.length, app.isUnderPressure()], [1, false])
  asked[0].resolve(true)
  assert.equal(await probe, 200)
  await turns()
  assert.equal(app.isUnderPressure(), false)
  assert.equal(await code('/'), 200)
})

test('once its time is up it is said to run still, and is not asked again', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { app, asked, code } = await start()
  const codes = [code('/status'), code('/status')]
  await turns()
  t.mock.timers.tick(5_000)
  assert.deepEqual(await Promise.all(codes), [503, 503])
  assert.equal(app.isUnderPressure(), true)
  assert.equal(await code('/status'), 503)
  assert.equal(asked.length, 1)
  asked[0].resolve(true)
  await turns()
  const after = code('/status')
  await turns()
  assert.equal(asked.length, 2)
  asked[1].resolve(true)
  assert.equal(await after, 200)
  assert.equal(await code('/'), 200)
})
