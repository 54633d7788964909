// resilientFetch where callers, their functions and what stands for `fetch` misbehave.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { resilientFetch } from 'seawall/http'
import { VirtualClock } from 'seawall/testing'
import { ok, serve, status, until } from './http-servers.mjs'

function client(t, options = {}) {
  const fetch = resilientFetch({ retry: { delayMs: 1, jitterFactor: 0 }, ...options })
  t.after(() => fetch[Symbol.dispose]())
  return fetch
}

test('a fetch that answers no Response ends the call, and what looks like one comes through', async t => {
  const signal = new AbortController().signal
  for (const wrong of [undefined, null, 'text', 7]) {
    const fetch = client(t, { fetch: async () => wrong, retry: false })
    for (const init of [{}, { signal }]) {
      await assert.rejects(fetch('http://service.test/', init), /`fetch` answered .*no Response/)
    }
  }
  const mock = { ok: true, status: 200 }
  const fetch = client(t, { fetch: async () => mock })
  assert.equal(await fetch('http://service.test/', { signal }), mock)
})

test('a body function: abort and time-out end the call while it runs, and its body is let go', async t => {
  const server = await serve(t, ok())
  const { origin } = server
  const reason = new Error('gone')
  for (const body of [() => new Promise(() => {}), () => sleep(60, 'late')]) {
    const controller = new AbortController()
    const fetch = client(t)
    const call = fetch(origin, { method: 'POST', signal: controller.signal, body })
    setTimeout(() => controller.abort(reason), 20)
    await assert.rejects(call, error => error === reason)
    assert.equal(fetch.breaker(origin).isOpen(), false)
  }
  let cancelled = 0
  const stream = () => new ReadableStream({ cancel: () => void cancelled++ })
  const fetch = client(t, { timeoutMs: 20, retry: false })
  const body = () => sleep(60).then(stream)
  await assert.rejects(fetch(origin, { method: 'POST', body }), { name: 'TimeoutError' })
  await until(() => cancelled === 1)
  assert.equal(server.seen.length, 0)
})

test('a policy that cannot be made gives the place at the breaker back', async t => {
  const { origin } = await serve(t, status(503), ok())
  let isBroken = false
  const clock = new VirtualClock()
  const policy = () => {
    if (isBroken) throw new Error('no policy')
    return {}
  }
  const breaker = { threshold: 1, resetTimeMs: 1000 }
  const fetch = client(t, { policy, retry: false, breaker, clock, timeoutMs: 0 })
  isBroken = true
  await assert.rejects(fetch(origin), /no policy/)
  isBroken = false
  assert.equal((await fetch(origin)).status, 503)
  await clock.advance(1001)
  assert.equal((await fetch(origin)).status, 200)
  assert.equal(fetch.breaker(origin).explain().totals.neutral, 1)
})

test('a Request that cannot be moved to an instance leaves no timer behind', async t => {
  const { origin } = await serve(t, ok())
  const clock = new VirtualClock()
  const fetch = client(t, { instances: [origin], clock })
  const used = new Request('http://service.test/', { method: 'POST', body: 'x' })
  await used.text()
  await assert.rejects(fetch(used), TypeError)
  assert.equal(clock.pending, 0)
})

test('no deadline and instances with credentials', async t => {
  const { origin } = await serve(t, ok())
  assert.equal((await client(t, { deadlineMs: 0 })(origin)).status, 200)
  const instances = [origin.replace('//', '//user:secret@')]
  assert.throws(() => resilientFetch({ instances }), { option: 'instances' })
})

test('an origin that is forgotten while calls wait in its policy: they go on', async t => {
  const gate = Promise.withResolvers()
  const server = await serve(t, async (...args) => {
    await gate.promise
    ok()(...args)
  })
  const other = await serve(t, ok())
  const policy = { bulkhead: { maxConcurrent: 1, maxQueue: 10 } }
  const fetch = client(t, { maxOrigins: 1, policy, retry: false })
  const calls = [1, 2, 3].map(() => fetch(server.origin))
  await until(() => server.seen.length === 1)
  assert.equal((await fetch(other.origin)).status, 200)
  gate.resolve()
  for (const answer of await Promise.all(calls)) assert.equal(await answer.text(), 'ok')
})
