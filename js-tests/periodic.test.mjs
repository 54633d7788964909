// @ts-check
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { getEventListeners } from 'node:events'
import { mock, test } from 'node:test'
import { every } from 'seawall'

/** A clock moved by hand. */
function manual() {
  let now = 0
  let timers = []
  return {
    now: () => now,
    setTimer: (fn, ms) => {
      const timer = {
        fn,
        at: now + ms,
        unrefs: 0,
        unref() {
          this.unrefs++
        },
      }
      timers.push(timer)
      return timer
    },
    clearTimer: timer => {
      timers = timers.filter(other => other !== timer)
    },
    get pending() {
      return timers
    },
    async to(time) {
      for (;;) {
        const next = timers.filter(timer => timer.at <= time).sort((a, b) => a.at - b.at)[0]
        if (!next) break
        timers = timers.filter(other => other !== next)
        now = Math.max(now, next.at)
        next.fn()
        await new Promise(setImmediate)
      }
      now = time
    },
  }
}

test('offsets 17, 42 and 11 s keep three processes apart', async () => {
  const clock = manual()
  const runs = []
  const jobs = [17, 42, 11].map(s =>
    every(60_000, () => runs.push(clock.now() / 1000), { offset: s * 1000, clock }),
  )
  await clock.to(239_000)
  assert.deepEqual(runs, [71, 77, 102, 131, 137, 162, 191, 197, 222])
  for (const job of jobs) job[Symbol.dispose]()
  assert.equal(clock.pending.length, 0)
})

test('the default offset is drawn, the same for the same seed', async () => {
  const first = async seed => {
    const clock = manual()
    let at = 0
    const job = every(
      1000,
      () => {
        at ||= clock.now()
      },
      { seed, clock },
    )
    await clock.to(2001)
    job[Symbol.dispose]()
    return at
  }
  const times = await Promise.all([1, 2, 3, 1].map(first))
  assert.ok(times.every(at => at >= 1000 && at <= 2001))
  assert.equal(times[0], times[3])
  assert.equal(new Set(times).size, 3)
})

test('no overlap and no drift: times that pass during a run are skipped', async () => {
  const clock = manual()
  const begun = []
  let finish
  const job = every(
    100,
    () => {
      begun.push(clock.now())
      return new Promise(resolve => {
        finish = resolve
      })
    },
    { offset: 0, clock },
  )
  await clock.to(350)
  assert.deepEqual(begun, [100])
  assert.ok(job.running)
  finish()
  await new Promise(setImmediate)
  await clock.to(400)
  assert.deepEqual(begun, [100, 400])
  assert.equal(job.skipped, 2)
  finish()
  await job.stop()
})

test('a task that throws or rejects does not break the schedule', async () => {
  const clock = manual()
  const errors = []
  let runs = 0
  const job = every(
    10,
    () => {
      runs++
      if (runs === 1) throw new Error('thrown')
      return Promise.reject(new Error('rejected'))
    },
    {
      offset: 0,
      clock,
      onError: error => {
        errors.push(error.message)
        throw new Error('handler')
      },
    },
  )
  await clock.to(30)
  assert.equal(runs, 3)
  assert.deepEqual(errors, ['thrown', 'rejected', 'rejected'])
  assert.ok(!job.stopped)
  job[Symbol.dispose]()
})

test('stop waits for the run under way, and flushes if asked', async () => {
  const clock = manual()
  const order = []
  let finish
  const job = every(
    10,
    () => {
      order.push('run')
      return order.length > 1
        ? undefined
        : new Promise(resolve => {
            finish = resolve
          })
    },
    { offset: 0, clock },
  )
  await clock.to(10)
  const stopped = job.stop({ flush: true }).then(() => order.push('stopped'))
  await new Promise(setImmediate)
  assert.deepEqual(order, ['run'])
  finish()
  await stopped
  assert.deepEqual(order, ['run', 'run', 'stopped'])
  await clock.to(1000)
  await job.stop()
  assert.equal(order.length, 3, 'nothing runs after')
})

test('asynchronous disposal stops; a signal stops and keeps no listener', async () => {
  const clock = manual()
  let runs = 0
  const disposed = every(
    10,
    () => {
      runs++
    },
    { offset: 0, clock },
  )
  await clock.to(20)
  await disposed[Symbol.asyncDispose]()
  await clock.to(100)
  assert.equal(runs, 2)
  const control = new AbortController()
  const job = every(
    10,
    () => {
      runs++
    },
    { offset: 0, clock, signal: control.signal },
  )
  control.abort()
  assert.ok(job.stopped)
  const other = new AbortController()
  every(10, () => {}, { clock, signal: other.signal })[Symbol.dispose]()
  assert.equal(getEventListeners(other.signal, 'abort').length, 0)
  assert.ok(every(10, () => {}, { clock, signal: AbortSignal.abort() }).stopped)
  assert.equal(clock.pending.length, 0)
})

test('works on the mocked timers of a test that do not move the clock', async () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  let runs = 0
  const job = every(
    1000,
    () => {
      runs++
    },
    { offset: 0 },
  )
  for (let i = 1; i <= 3; i++) {
    mock.timers.tick(1000)
    await new Promise(setImmediate)
    assert.equal(runs, i)
  }
  job[Symbol.dispose]()
  mock.timers.reset()
})

test('keeps no process alive', () => {
  const script = "import { every } from 'seawall'; every(60000, () => {})"
  const { status, signal } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    cwd: import.meta.dirname,
    timeout: 10_000,
  })
  assert.deepEqual([status, signal], [0, null])
})

test('options are checked at construction', () => {
  const refused = (period, options, option) =>
    assert.throws(() => every(period, () => {}, options), { name: 'OptionError', option })
  refused(0, {}, 'periodMs')
  refused(-1, {}, 'periodMs')
  refused(Number.NaN, {}, 'periodMs')
  refused(10, { offset: -1 }, 'offset')
  refused(10, { offset: 'sometime' }, 'offset')
  refused(10, { jitter: 0.6 }, 'jitter')
  refused(10, { jiter: 0.1 }, 'jiter')
})
