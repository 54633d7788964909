// @ts-check
import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { getEventListeners } from 'node:events'
import { test } from 'node:test'
import { Coalescer, TimeoutError } from 'seawall'
import { manual, random, state, turn, VirtualClock } from './cache-tools.mjs'

const reason = new Error('client left')

test('parallel calls share one execution, later ones begin another', async () => {
  const shared = new Coalescer()
  const fn = manual()
  const calls = [1, 2, 3].map(() => shared.execute('k', fn))
  assert.equal(fn.calls.length, 1, 'called at once, and once')
  assert.deepEqual(pick(shared.explain()), { keys: 1, waiting: 3, executions: 1, joined: 2 })
  fn.calls[0].resolve('answer')
  assert.deepEqual(await Promise.all(calls), ['answer', 'answer', 'answer'])
  assert.deepEqual(pick(shared.explain()), { keys: 0, waiting: 0, executions: 1, joined: 2 })
  const later = shared.execute('k', fn)
  fn.calls[1].resolve('new')
  assert.equal(await later, 'new')
})

const pick = ({ keys, waiting, executions, joined }) => ({ keys, waiting, executions, joined })

test('keys are apart', async () => {
  const shared = new Coalescer()
  const both = [shared.execute('a', async () => 1), shared.execute('b', async () => 2)]
  assert.deepEqual(await Promise.all(both), [1, 2])
})

test('an error is that of all who waited, the same object, and is not kept', async () => {
  const shared = new Coalescer()
  const error = new Error('down')
  const fn = manual()
  const calls = [1, 2].map(() => shared.execute('k', fn))
  fn.calls[0].reject(error)
  for (const call of calls) await assert.rejects(call, thrown => thrown === error)
  assert.equal(await shared.execute('k', async () => 'fine'), 'fine')
})

test('in the reaction to an answer, the next call is a new execution', async () => {
  const shared = new Coalescer()
  let calls = 0
  const fn = async () => ++calls
  const second = shared.execute('k', fn).then(() => shared.execute('k', fn))
  assert.equal(await second, 2)
  const failed = shared.tryExecute('f', () => Promise.reject(reason))
  const after = failed.then(() => shared.execute('f', fn))
  assert.equal(await after, 3)
})

test('a synchronous throw is a rejection, and holds no key', async () => {
  const shared = new Coalescer()
  const call = shared.execute('k', () => {
    throw reason
  })
  await assert.rejects(call, thrown => thrown === reason)
  assert.equal(shared.explain().keys, 0)
})

test('LeaderCancelled: a cancelled leader does not fail its followers', async () => {
  const shared = new Coalescer()
  const control = new AbortController()
  const fn = manual()
  const leader = shared.execute('k', fn, { signal: control.signal })
  const follower = shared.execute('k', fn)
  control.abort(reason)
  await assert.rejects(leader, thrown => thrown === reason)
  assert.equal(fn.calls[0].context.signal.aborted, false)
  fn.calls[0].resolve('for who stayed')
  assert.equal(await follower, 'for who stayed')
  assert.equal(fn.calls.length, 1)
})

test('the execution is aborted when the last one has left, and joined by nobody after', async () => {
  const shared = new Coalescer()
  const controls = [new AbortController(), new AbortController()]
  const fn = manual()
  const abandoned = []
  shared.on('abandoned', ({ key, reason }) => abandoned.push([key, reason]))
  const calls = controls.map(({ signal }) => shared.execute('k', fn, { signal }))
  controls[0].abort(new Error('first'))
  const { signal } = fn.calls[0].context
  assert.equal(signal.aborted, false)
  controls[1].abort(reason)
  assert.equal(signal.aborted, true)
  assert.equal(signal.reason, reason)
  assert.deepEqual(abandoned, [['k', reason]])
  const next = shared.execute('k', fn)
  assert.equal(fn.calls.length, 2)
  fn.calls[0].reject(new Error('an AbortError of the first'))
  fn.calls[1].resolve('second')
  assert.equal(await next, 'second')
  await Promise.allSettled(calls)
  assert.deepEqual(pick(shared.explain()), { keys: 0, waiting: 0, executions: 2, joined: 1 })
})

test('an abort settles its own wait at once, also while the function ignores the signal', async () => {
  const shared = new Coalescer()
  const control = new AbortController()
  const call = shared.execute('k', () => new Promise(() => {}), { signal: control.signal })
  control.abort(reason)
  assert.deepEqual(await state(call), { error: reason })
})

test('aborted before: nothing is called; aborted by the function: the caller gets the reason', async () => {
  const shared = new Coalescer()
  const fn = manual()
  const before = shared.execute('k', fn, { signal: AbortSignal.abort(reason) })
  await assert.rejects(before, thrown => thrown === reason)
  assert.equal(fn.calls.length, 0)
  const control = new AbortController()
  const during = shared.execute(
    'k',
    context => {
      control.abort(reason)
      return fn(context)
    },
    { signal: control.signal },
  )
  await assert.rejects(during, thrown => thrown === reason)
  assert.equal(fn.calls[0].context.signal.aborted, true, 'nobody waits')
  assert.equal(shared.explain().keys, 0)
})

test('each has a deadline of its own; the function sees the latest', async () => {
  const clock = new VirtualClock()
  const shared = new Coalescer({ clock, name: 'rates' })
  const fn = manual()
  const short = shared.tryExecute('k', fn, { deadline: 100 })
  assert.equal(fn.calls[0].context.deadline, 100)
  const long = shared.execute('k', fn, { deadline: 300 })
  assert.equal(fn.calls[0].context.deadline, 300)
  await clock.pass(100)
  const { error } = /** @type {any} */ (await short)
  assert.ok(error instanceof TimeoutError)
  assert.equal(error.policy, 'rates')
  assert.equal(error.timeoutMs, 100)
  assert.equal(fn.calls[0].context.remaining(), 200)
  assert.equal(fn.calls[0].context.signal.aborted, false)
  fn.calls[0].resolve(1)
  assert.equal(await long, 1)
  assert.equal(clock.timers.size, 0)
  const late = shared.execute('k', fn, { deadline: 50 })
  await assert.rejects(late, { code: 'SEAWALL_TIMEOUT' })
  assert.equal(fn.calls.length, 1, 'what is too late already is not begun')
  const alone = shared.tryExecute('k', fn, { deadline: 150 })
  await clock.pass(50)
  assert.equal((await alone).ok, false)
  assert.equal(fn.calls[1].context.signal.aborted, true)
})

test('AsyncLocalStorage: each who waits goes on in its own', async () => {
  const shared = new Coalescer()
  const storage = new AsyncLocalStorage()
  const seen = []
  let inside
  const fn = async () => {
    inside = storage.getStore()
    await turn()
    return 'answer'
  }
  const tenants = ['A', 'B', 'C'].map(tenant =>
    storage.run(tenant, async () => {
      const { signal } = new AbortController()
      await shared.execute('k', fn, tenant === 'B' ? { signal } : undefined)
      seen.push([tenant, storage.getStore()])
    }),
  )
  await Promise.all(tenants)
  assert.equal(inside, 'A')
  assert.deepEqual(seen.sort(), [
    ['A', 'A'],
    ['B', 'B'],
    ['C', 'C'],
  ])
})

test('one that hangs does not hold its key for ever', async () => {
  const clock = new VirtualClock()
  const shared = new Coalescer({ clock, joinWithinMs: 1000 })
  const fn = manual()
  const hung = shared.execute('k', fn)
  await clock.pass(1000)
  shared.execute('k', fn).catch(() => {})
  assert.equal(fn.calls.length, 1)
  await clock.pass(1)
  const fresh = shared.execute('k', fn)
  assert.equal(fn.calls.length, 2)
  fn.calls[0].resolve('late')
  assert.equal(await hung, 'late')
  const joined = shared.execute('k', fn)
  assert.equal(fn.calls.length, 2, 'the end of the old one leaves the new one in place')
  fn.calls[1].resolve('fresh')
  assert.deepEqual(await Promise.all([fresh, joined]), ['fresh', 'fresh'])
})

test('one that hangs leaves its place to the next also where there is no other', async () => {
  const clock = new VirtualClock()
  const shared = new Coalescer({ clock, maxKeys: 1, joinWithinMs: 1000 })
  const fn = manual()
  shared.execute('a', fn)
  clock.set(1001)
  const both = [shared.execute('a', fn), shared.execute('a', fn)]
  assert.equal(fn.calls.length, 2)
  fn.calls[1].resolve('new')
  assert.deepEqual(await Promise.all(both), ['new', 'new'])
  const { alone, joined, keys } = shared.explain()
  assert.deepEqual([alone, joined, keys], [0, 1, 0])
})

test('bounded: calls beyond the keys are executed for their callers alone', async () => {
  const shared = new Coalescer({ maxKeys: 2 })
  const fn = manual()
  const calls = ['a', 'b', 'c', 'c'].map(key => shared.execute(key, fn))
  assert.equal(fn.calls.length, 4)
  assert.equal(shared.explain().keys, 2)
  assert.equal(shared.explain().alone, 2)
  const joined = shared.execute('a', fn)
  assert.equal(fn.calls.length, 4)
  for (const [i, { resolve }] of fn.calls.entries()) resolve(i)
  assert.deepEqual(await Promise.all([...calls, joined]), [0, 1, 2, 3, 0])
})

test('no listeners are left on a long-lived signal', async () => {
  const shared = new Coalescer()
  const { signal } = new AbortController()
  for (let i = 0; i < 100; i++) {
    const fail = i % 2 === 0
    const fn = async () => (fail ? Promise.reject(reason) : i)
    await Promise.allSettled([1, 2, 3].map(() => shared.execute('k', fn, { signal })))
  }
  assert.equal(getEventListeners(signal, 'abort').length, 0)
})

test('a listener that throws changes nothing', async () => {
  const shared = new Coalescer()
  shared.on('joined', () => {
    throw new Error('listener')
  })
  const listen = () => {}
  process.on('warning', listen)
  const calls = [1, 2].map(() => shared.execute('k', async () => 5))
  assert.deepEqual(await Promise.all(calls), [5, 5])
  process.off('warning', listen)
})

test('forget: the next call is a new execution, who waits gets the old answer', async () => {
  const shared = new Coalescer()
  const fn = manual()
  const old = shared.execute('k', fn)
  shared.forget('k')
  const next = shared.execute('k', fn)
  assert.equal(fn.calls.length, 2)
  fn.calls[0].resolve('old')
  fn.calls[1].resolve('next')
  assert.deepEqual(await Promise.all([old, next]), ['old', 'next'])
})

test('options are checked, and a disposed one takes no calls', async () => {
  assert.throws(() => new Coalescer(/** @type {any} */ ({ maxKey: 1 })), { option: 'maxKey' })
  assert.throws(() => new Coalescer({ maxKeys: 0 }), { option: 'maxKeys' })
  assert.throws(() => new Coalescer({ joinWithinMs: -1 }), { option: 'joinWithinMs' })
  const shared = new Coalescer()
  const fn = manual()
  const running = shared.execute('k', fn)
  shared[Symbol.dispose]()
  await assert.rejects(
    shared.execute('k', async () => 1),
    { code: 'SEAWALL_DISPOSED' },
  )
  fn.calls[0].resolve('in order')
  assert.equal(await running, 'in order')
})

test('model: joins, aborts and ends in random order', async () => {
  for (let seed = 0; seed < 60; seed++) {
    const draw = random(seed)
    const shared = new Coalescer()
    const fn = manual()
    /** Each execution: its waiters who have not left, whether it is over. */
    const executions = []
    const current = new Map()
    const waits = []
    for (let step = 0; step < 60; step++) {
      const what = draw()
      if (what < 0.5) {
        const key = `k${Math.floor(draw() * 3)}`
        const control = new AbortController()
        const begun = fn.calls.length
        const promise = shared.execute(key, fn, draw() < 0.7 ? control : undefined)
        let execution = current.get(key)
        assert.equal(fn.calls.length, begun + (execution ? 0 : 1), `seed ${seed}`)
        if (!execution) {
          execution = { key, waiting: 0, call: fn.calls.at(-1) }
          executions.push(execution)
          current.set(key, execution)
        }
        execution.waiting++
        const settled = promise.then(
          value => ({ value }),
          error => ({ error }),
        )
        waits.push({ control, execution, settled, left: false })
      } else if (what < 0.8 && waits.length > 0) {
        const wait = waits[Math.floor(draw() * waits.length)]
        const listens = getEventListeners(wait.control.signal, 'abort').length > 0
        wait.control.abort(`step ${step}`)
        if (!listens || wait.left || wait.execution.over) continue
        wait.left = true
        wait.execution.waiting--
        if (wait.execution.waiting === 0) {
          current.delete(wait.execution.key)
          wait.execution.over = true
          assert.ok(wait.execution.call.context.signal.aborted)
        }
      } else {
        const open = executions.filter(({ over }) => !over)
        const execution = open[Math.floor(draw() * open.length)]
        if (!execution) continue
        if (draw() < 0.5) execution.call.resolve(execution)
        else execution.call.reject(execution)
        execution.over = true
        current.delete(execution.key)
        await turn()
      }
      const waiting = [...current.values()].reduce((sum, { waiting }) => sum + waiting, 0)
      assert.equal(shared.explain().waiting, waiting, `seed ${seed}, step ${step}`)
      assert.equal(shared.explain().keys, current.size)
    }
    for (const { over, call } of executions) if (!over) call.resolve()
    for (const { left, control, settled, execution } of waits) {
      const { value, error } = /** @type {any} */ (await settled)
      if (left) assert.equal(error, control.signal.reason)
      else if (execution.over) assert.equal(value ?? error, execution)
    }
  }
})
