// @ts-check
// `healthHandler` where somebody else has answered before the checks have.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, get } from 'node:http'
import { test } from 'node:test'
import { HealthChecks, healthHandler } from 'seawall/health'

/** Turns of the loop, in which whatever can go on goes on. */
async function turns(count = 20) {
  for (let turn = 0; turn < count; turn++) await new Promise(resolve => setImmediate(resolve))
}

/** What becomes of errors of nobody, and warnings, until the test is over. */
function watch(t) {
  const seen = []
  const errors = error => seen.push(error.code ?? error.message)
  const warnings = warning => seen.push(warning.message)
  process.on('unhandledRejection', errors)
  process.on('warning', warnings)
  t.after(() => {
    process.off('unhandledRejection', errors)
    process.off('warning', warnings)
  })
  return seen
}

test('a check that ends after the request was answered changes nothing', async t => {
  const seen = watch(t)
  const checks = new HealthChecks()
  t.after(() => checks[Symbol.dispose]())
  const { promise, resolve } = Promise.withResolvers()
  checks.add('slow', () => promise)
  const health = healthHandler(checks)
  const server = createServer((request, response) => {
    assert.equal(health(request, response), true)
    response.statusCode = 504
    response.end('too late')
  })
  t.after(() => server.close())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  const [response] = await once(
    get({ port, host: '127.0.0.1', path: '/readyz', agent: false }),
    'response',
  )
  response.resume()
  await once(response, 'end')
  assert.equal(response.statusCode, 504)
  resolve(true)
  await checks.check('readiness')
  await turns()
  assert.deepEqual(seen, [])
})

test('what a response throws is reported', async t => {
  const seen = watch(t)
  const checks = new HealthChecks()
  t.after(() => checks[Symbol.dispose]())
  const response = {
    statusCode: 200,
    setHeader() {},
    end() {
      throw new Error('no such response')
    },
  }
  assert.equal(healthHandler(checks)({ url: '/livez' }, response), true)
  while (seen.length === 0) await turns(1)
  assert.match(seen.join(), /healthHandler.* threw: Error: no such response/)
})
