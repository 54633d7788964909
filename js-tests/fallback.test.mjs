// @ts-check
import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { getEventListeners } from 'node:events'
import { test } from 'node:test'
import { Fallback, fallback, TimeoutError } from 'seawall'
import { VirtualClock } from './cache-tools.mjs'

const down = new Error('down')
const fails = () => Promise.reject(down)

test('a success is passed on, the function called at once', async () => {
  const instead = new Fallback('other')
  let called = false
  const promise = instead.execute(() => {
    called = true
    return 5
  })
  assert.ok(called)
  assert.equal(await promise, 5)
  assert.deepEqual(instead.explain(), { name: undefined, answered: 0, passed: 0, failed: 0 })
})

test('a failure is answered by a value, or by a function of the error', async () => {
  assert.equal(await new Fallback(7).execute(fails), 7)
  assert.equal(await new Fallback(undefined).execute(fails), undefined)
  assert.equal(await new Fallback(error => error).execute(fails), down)
  assert.equal(await new Fallback(async () => 'later').execute(fails), 'later')
  const throws = () => {
    throw down
  }
  assert.equal(await new Fallback('sync').execute(throws), 'sync')
  assert.equal(await fallback(fails, 'once'), 'once')
  assert.equal(await fallback(async () => 1, 'once', { when: () => true }), 1)
})

test('only for the errors asked for', async () => {
  const instead = new Fallback('answer', { when: error => error instanceof TimeoutError })
  await assert.rejects(instead.execute(fails), thrown => thrown === down)
  const late = () => Promise.reject(new TimeoutError('late', 5))
  assert.equal(await instead.execute(late), 'answer')
  assert.deepEqual(instead.explain(), { name: undefined, answered: 1, passed: 1, failed: 0 })
})

test('the error is in the event', async () => {
  const told = []
  const instead = new Fallback(1, { name: 'rates', onFallback: event => told.push(event) })
  const heard = []
  const off = instead.on('fallback', event => heard.push(event))
  await instead.execute(fails)
  off()
  await instead.execute(fails)
  const event = { cause: down, name: 'rates' }
  assert.deepEqual(heard, [event])
  assert.deepEqual(told, [event, event])
  assert.equal(told[0].cause, down)
})

test("the caller's own abort is not answered", async () => {
  const reason = new Error('client left')
  const instead = new Fallback('answer')
  const before = instead.execute(fails, { signal: AbortSignal.abort(reason) })
  await assert.rejects(before, thrown => thrown === reason)
  const control = new AbortController()
  const during = instead.execute(
    ({ signal }) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    { signal: control.signal },
  )
  control.abort(reason)
  await assert.rejects(during, thrown => thrown === reason)
  assert.equal(getEventListeners(control.signal, 'abort').length, 0)
  const aborted = new DOMException('by somebody else', 'AbortError')
  assert.equal(await instead.execute(() => Promise.reject(aborted)), 'answer')
})

test('an answer that fails: its error, with the first as cause, and both in the event', async () => {
  const error = new Error('no cache either')
  const instead = new Fallback(() => {
    throw error
  })
  const heard = []
  instead.on('failed', event => heard.push(event))
  await assert.rejects(instead.execute(fails), thrown => thrown === error && error.cause === down)
  assert.deepEqual(heard, [{ cause: down, error, name: undefined }])
  const rethrowing = new Fallback(cause => Promise.reject(cause))
  await assert.rejects(rethrowing.execute(fails), thrown => thrown === down)
  assert.equal(down.cause, undefined)
  const frozen = Object.freeze(new Error('frozen'))
  await assert.rejects(
    new Fallback(() => Promise.reject(frozen)).execute(fails),
    thrown => thrown === frozen,
  )
  const own = new Error('wrapped', { cause: 'its own' })
  await assert.rejects(
    new Fallback(() => Promise.reject(own)).execute(fails),
    () => own.cause === 'its own',
  )
})

test('callbacks that throw change nothing', async () => {
  const texts = []
  const listen = warning => texts.push(String(warning))
  process.on('warning', listen)
  const onFallback = () => {
    throw new Error('callback')
  }
  assert.equal(await new Fallback('answer', { onFallback }).execute(fails), 'answer')
  const when = () => {
    throw new Error('judge')
  }
  await assert.rejects(new Fallback('answer', { when }).execute(fails), thrown => thrown === down)
  await new Promise(setImmediate)
  process.off('warning', listen)
  assert.ok(texts.some(text => text.includes('callback')))
  assert.ok(texts.some(text => text.includes('judge')))
})

test('tryExecute, the context, the AsyncLocalStorage of the caller', async () => {
  const clock = new VirtualClock(100)
  const instead = new Fallback('answer', { clock, when: error => error !== 'no' })
  assert.deepEqual(await instead.tryExecute(fails), { ok: true, value: 'answer' })
  assert.deepEqual(await instead.tryExecute(() => Promise.reject('no')), { ok: false, error: 'no' })
  assert.equal(await instead.execute(context => context.remaining(), { deadline: 150 }), 50)
  const storage = new AsyncLocalStorage()
  const inside = new Fallback(() => storage.getStore())
  assert.equal(await storage.run('mine', () => inside.execute(fails)), 'mine')
})

test('options are checked', () => {
  assert.throws(() => new Fallback(1, /** @type {any} */ ({ wen: 1 })), { option: 'wen' })
  assert.throws(() => new Fallback(1, /** @type {any} */ ({ when: 1 })), { option: 'when' })
})
