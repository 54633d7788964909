// Idempotency keys of several processes in one Redis: duplicates, and a process that dies.
import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { after, before, describe, test } from 'node:test'
import { Redis } from 'ioredis'
import { until } from './http-servers.mjs'
import { redis, skipped } from './servers.mjs'

describe('idempotency over Redis', { skip: skipped('redis') }, () => {
  /** @type {any} */
  let server
  before(async () => {
    server = await redis()
  })
  after(() => server?.remove())

  /** Two processes, with another client each. */
  async function services(t) {
    const counter = new Redis({ host: '127.0.0.1', port: server.port })
    await counter.flushall()
    t.after(() => counter.disconnect())
    const start = async kind => {
      const file = new URL('./fixtures/idempotent-service.mjs', import.meta.url)
      const child = fork(file, [String(server.port), kind])
      t.after(() => child.kill('SIGKILL'))
      const [{ port }] = await once(child, 'message')
      return { child, origin: `http://127.0.0.1:${port}` }
    }
    const both = await Promise.all([start('ioredis'), start('redis')])
    return { both, orders: async () => Number(await counter.get('orders')), counter }
  }

  const post = ({ origin }, body, headers = {}) =>
    fetch(`${origin}/orders`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': 'k1', ...headers },
      body: JSON.stringify(body),
    })

  test('duplicates at both processes are carried out once, and all get the answer', async t => {
    const { both, orders, counter } = await services(t)
    const slow = { act: 'slow', ms: 100 }
    const all = await Promise.all(Array.from({ length: 20 }, (_, i) => post(both[i % 2], slow)))
    const texts = await Promise.all(all.map(answer => answer.text()))
    assert.deepEqual([...new Set(texts)], ['{"number":1,"filling":""}'])
    const replayed = all.filter(({ headers }) => headers.get('idempotent-replayed') === 'true')
    assert.equal(replayed.length, 19)
    assert.equal(await orders(), 1)
    // The other process knows it as well, another body included.
    assert.equal((await post(both[1], { act: 'other' })).status, 422)
    const [name] = await counter.keys('idempotency-*')
    assert.ok((await counter.pttl(name)) > 86_000_000)
  })

  test('a process that dies: another takes over once the lock has ended, exactly one', async t => {
    const { both, orders } = await services(t)
    const die = { act: 'die', ms: 50 }
    const started = performance.now()
    await assert.rejects(post(both[0], die))
    const answers = await Promise.all(Array.from({ length: 5 }, () => post(both[1], die)))
    assert.ok(performance.now() - started >= 950, 'not before the lock has ended')
    const texts = await Promise.all(answers.map(answer => answer.text()))
    assert.deepEqual([...new Set(texts)], ['{"number":2,"filling":""}'])
    assert.equal(await orders(), 2)
  })

  test('one that outlives its lock does not replace the answer of who took over', async t => {
    const { both, orders } = await services(t)
    const order = { act: 'held' }
    const late = post(both[0], order)
    await until(async () => (await orders()) === 1)
    const taken = post(both[1], order)
    await until(async () => (await orders()) === 2)
    // Within the lock of the second, which has just begun.
    both[0].child.send('end')
    assert.equal((await (await late).json()).number, 1)
    both[1].child.send('end')
    assert.equal((await (await taken).json()).number, 2)
    assert.equal((await (await post(both[0], order)).json()).number, 2)
    assert.equal(await orders(), 2)
  })
})
