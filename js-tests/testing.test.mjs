// What users test with: time moved by hand, and a dependency that plays a script.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OptionError } from 'seawall'
import { scripted, VirtualClock } from 'seawall/testing'

test('timers fire in the order of their times, and what they set within the time too', async () => {
  const clock = new VirtualClock(100)
  const fired = []
  clock.setTimer(() => fired.push(['late', clock.now()]), 30)
  clock.setTimer(() => {
    fired.push(['early', clock.now()])
    clock.setTimer(() => fired.push(['set meanwhile', clock.now()]), 5)
  }, 10)
  const gone = clock.setTimer(() => fired.push('never'), 20)
  clock.clearTimer(gone)
  await clock.advance(29)
  assert.deepEqual(fired, [
    ['early', 110],
    ['set meanwhile', 115],
  ])
  assert.deepEqual([clock.now(), clock.pending], [129, 1])
  await clock.advance(1)
  assert.deepEqual(fired.at(-1), ['late', 130])
})

test('promises go on between two timers', async () => {
  const clock = new VirtualClock()
  const seen = []
  const wait = ms => new Promise(resolve => clock.setTimer(resolve, ms))
  const work = async () => {
    for (let i = 0; i < 3; i++) {
      await wait(10)
      seen.push(clock.now())
    }
  }
  const done = work()
  await clock.run()
  await done
  assert.deepEqual(seen, [10, 20, 30])
})

test('run ends with endless timers too', async () => {
  const clock = new VirtualClock()
  const tick = () => clock.setTimer(tick, 1)
  tick()
  await clock.run(50)
  assert.equal(clock.now(), 50)
})

test('a script is played call by call, the last step for ever', async () => {
  const clock = new VirtualClock()
  const other = scripted(
    [{ result: 'a' }, { error: new Error('b'), times: 2 }, { afterMs: 10, result: 'c' }],
    clock,
  )
  assert.equal(await other('x'), 'a')
  await assert.rejects(other(), /b/)
  await assert.rejects(other(), /b/)
  const both = Promise.all([other(), other()])
  assert.deepEqual([other.running, other.peak], [2, 2])
  await clock.advance(10)
  assert.deepEqual(await both, ['c', 'c'])
  assert.equal(other.running, 0)
  assert.deepEqual(other.calls[0], { at: 0, args: ['x'] })
  assert.equal(other.calls.length, 5)
})

test('a step that hangs ends with its signal', async () => {
  const other = scripted([{ hang: true }], new VirtualClock())
  const controller = new AbortController()
  const call = other({ signal: controller.signal })
  controller.abort(new Error('enough'))
  await assert.rejects(call, /enough/)
  await assert.rejects(other({ signal: controller.signal }), /enough/)
})

test('time is moved on by a time', async () => {
  const clock = new VirtualClock(5)
  let fired = 0
  clock.setTimer(() => fired++, 10)
  for (const ms of [Number.NaN, -1, undefined]) await assert.rejects(clock.advance(ms), OptionError)
  assert.deepEqual([clock.now(), fired], [5, 0])
})
