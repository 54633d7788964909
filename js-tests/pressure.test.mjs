// The monitor: what it makes of signals, what it tells, and what becomes of what it holds.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OptionError, SeawallError } from 'seawall'
import { PressureMonitor } from 'seawall/pressure'
import { VirtualClock } from 'seawall/testing'

const manual = (options = {}) => new PressureMonitor({ source: 'manual', seed: 1, ...options })

test('without pressure everybody is let in, and nothing is known', () => {
  const monitor = manual()
  assert.deepEqual([monitor.level, monitor.pressure, monitor.signal], ['normal', 0, undefined])
  assert.equal(monitor.admit({ priority: 'veryLow', cohort: 'a' }), undefined)
  assert.deepEqual(monitor.signals(), {})
  assert.equal(monitor.isCalm, true)
})

test('levels, from memory', () => {
  const monitor = manual()
  const seen = [90, 101, 140, 180, 250, 0, 0].map(block => {
    monitor.observe({ block })
    return monitor.level
  })
  assert.deepEqual(seen, ['normal', 'elevated', 'high', 'severe', 'full', 'full', 'normal'])
})

test('at full pressure all but what is critical is refused', () => {
  const monitor = manual()
  monitor.observe({ block: 300 })
  assert.equal(monitor.signals().block, 300)
  for (const priority of ['veryLow', 'low', 'medium', undefined, 0, 299]) {
    assert.equal(monitor.admit({ priority })?.cause, 'block', String(priority))
  }
  for (const priority of ['high', 'veryHigh', 300, 499]) {
    assert.equal(monitor.admit({ priority }), undefined, String(priority))
  }
  const { shed, shedBy, passed, threshold } = monitor.explain()
  assert.deepEqual([shed, passed, threshold], [6, 4, 300])
  assert.deepEqual(
    shedBy.map(({ cause, class: name, count }) => [cause, name, count]),
    [
      ['block', 'veryLow', 2],
      ['block', 'low', 1],
      ['block', 'medium', 3],
    ],
  )
})

test('each refused request has an error of its own, without frames', () => {
  const monitor = manual({ name: 'web' })
  monitor.observe({ heapUsed: 98, heapLimit: 100 })
  const [one, two] = [monitor.reject(), monitor.reject()]
  assert.notEqual(one, two)
  assert.ok(one instanceof SeawallError)
  assert.deepEqual([one.code, one.rule, one.policy], ['SEAWALL_UNDER_PRESSURE', 'heapUsed', 'web'])
  assert.equal(one.stack.split('\n').length, 1)
})

test('no signal, no verdict: NaN, infinity and what is left out', () => {
  const monitor = manual()
  for (const block of [Number.NaN, Number.POSITIVE_INFINITY, undefined]) {
    monitor.observe({ block, delayP99: block, utilization: block, heapUsed: 5, heapLimit: block })
    assert.equal(monitor.level, 'normal')
  }
})

test('the drain is known after a while, and Retry-After differs', () => {
  const clock = new VirtualClock()
  const monitor = manual({ clock })
  monitor.observe({ block: 300 })
  assert.equal(monitor.admit()?.retryAfterMs, undefined)
  clock.set(4_200)
  monitor.observe({ block: 300 })
  assert.equal(monitor.drainMs, 4_200)
  const waits = Array.from({ length: 100 }, () => monitor.admit()?.retryAfterMs)
  assert.ok(waits.every(ms => ms >= 5_000 && ms <= 10_000 && ms % 1_000 === 0))
  assert.ok(new Set(waits).size >= 5)
})

test('the same seed refuses the same requests', () => {
  const run = seed => {
    const monitor = manual({ seed })
    monitor.observe({ utilization: 0.94 })
    return Array.from({ length: 200 }, () => monitor.admit() === undefined)
  }
  assert.deepEqual(run(3), run(3))
  assert.notDeepEqual(run(3), run(4))
})

test('a dry run counts and tells, and lets in', () => {
  const monitor = manual({ dryRun: true })
  const told = []
  monitor.on('shed', event => told.push(event))
  monitor.observe({ block: 300 })
  assert.equal(monitor.admit(), undefined)
  assert.deepEqual(told, [{ cause: 'block', retryAfterMs: undefined, dryRun: true }])
  assert.deepEqual([monitor.explain().shed, monitor.explain().dryRun], [1, true])
})

test('maintenance refuses everybody, and says when to come back', () => {
  const monitor = manual({ dryRun: true })
  const told = []
  monitor.on('maintenance', ({ on }) => told.push(on))
  monitor.setMaintenance(true)
  assert.equal(monitor.maintenance, true)
  assert.equal(monitor.admit({ priority: 'veryHigh' })?.cause, 'maintenance')
  monitor.setMaintenance(false)
  assert.deepEqual([monitor.maintenance, monitor.admit()], [false, undefined])
  assert.deepEqual(told, [true, false])
})

test('changes and stalls are told; a listener that throws changes nothing', () => {
  const monitor = manual()
  const told = []
  monitor.on('change', ({ level, previous, signal }) => told.push([previous, level, signal]))
  monitor.on('stall', ({ ms, count }) => told.push([ms, count]))
  const off = monitor.on('shed', () => {
    throw new Error('listener')
  })
  monitor.observe({ block: 300 })
  assert.equal(monitor.admit()?.cause, 'block')
  off()
  monitor.observe({ block: 900 })
  monitor.observe({ block: 0 })
  monitor.observe({ block: 0 })
  assert.deepEqual(told, [
    ['normal', 'full', 'block'],
    [900, 1],
    ['full', 'normal', undefined],
  ])
})

test('options change and counts stay', () => {
  const monitor = manual({ name: 'web' })
  monitor.observe({ block: 300 })
  monitor.admit()
  assert.throws(() => monitor.update({ blockMs: { soft: 9, hard: 8 } }), OptionError)
  monitor.update({ blockMs: { soft: 400, hard: 800 } })
  monitor.observe({ block: 300 })
  monitor.observe({ block: 300 })
  assert.deepEqual([monitor.level, monitor.explain().shed], ['normal', 1])
  monitor.update({ blockMs: false, dryRun: true })
  monitor.observe({ block: 9_000 })
  assert.deepEqual([monitor.level, monitor.explain().dryRun], ['normal', true])
  assert.throws(() => monitor.update({ source: 'pulse' }), /cannot be changed/)
})

test('explain says by what, and when it will be otherwise', () => {
  const monitor = manual({ name: 'web', ioStall: false })
  monitor.observe({ block: 175, memoryUsed: 10, memoryLimit: 100 })
  const { name, source, level, gauge, leaves, gauges } = monitor.explain()
  assert.deepEqual([name, source, level], ['web', 'manual', 'severe'])
  assert.deepEqual(gauge, { signal: 'block', value: 175, soft: 100, hard: 250, pressure: 0.5 })
  assert.deepEqual(leaves, { below: 167.5, samples: 2 })
  const memory = gauges.find(({ signal }) => signal === 'memoryUsed')
  assert.deepEqual([memory.value, memory.soft, memory.hard], [0.1, 0.92, 0.95])
})

test('requests under way and their waits count where they are limited', () => {
  const clock = new VirtualClock()
  const monitor = manual({ clock, inFlight: { soft: 2, hard: 4 }, queueMs: { soft: 5, hard: 50 } })
  for (let i = 0; i < 3; i++) monitor.started()
  monitor.observe({})
  assert.deepEqual([monitor.signal, monitor.pressure, monitor.inFlight], ['inFlight', 0.5, 3])
  for (let i = 0; i < 5; i++) monitor.ended()
  assert.equal(monitor.inFlight, 0)
  for (let at = 20; at <= 200; at += 20) {
    clock.set(at)
    for (const ms of [90, 60, 200]) monitor.queued(ms)
    monitor.observe({})
  }
  assert.deepEqual([monitor.signal, monitor.signals().queue], ['queue', 60])
  monitor.observe({})
  monitor.observe({})
  assert.equal(monitor.level, 'normal')
})

test('a source of ones own is asked by the clock, and may throw', async () => {
  const clock = new VirtualClock()
  let block = 0
  let calls = 0
  const source = () => {
    calls++
    if (block < 0) throw new Error('source')
    return { block, utilization: 0.5 }
  }
  {
    const monitor = new PressureMonitor({ source, clock, sampleIntervalMs: 50 })
    await clock.advance(500)
    assert.deepEqual([calls, monitor.level], [10, 'normal'])
    block = 300
    await clock.advance(50)
    assert.equal(monitor.level, 'full')
    block = -1
    await clock.advance(100)
    assert.equal(monitor.level, 'normal', 'what is not known is no pressure')
    monitor[Symbol.dispose]()
  }
  assert.equal(clock.pending, 0)
})

test('20 s of idling and then a burst, 8 s of work and then idling, in virtual time', async () => {
  const clock = new VirtualClock()
  // As a loop counts: ms of work in each ms, of which the source gives the last second.
  const work = []
  const source = () => {
    const last = work.slice(-1_000)
    return { utilization: last.reduce((sum, part) => sum + part, 0) / Math.max(1, last.length) }
  }
  const monitor = new PressureMonitor({ source, clock })
  const pass = async (ms, part) => {
    for (let left = ms; left > 0; left -= 50) {
      for (let i = 0; i < 50; i++) work.push(part)
      await clock.advance(50)
    }
  }
  await pass(8_000, 1)
  assert.equal(monitor.level, 'full')
  await pass(2_000, 0.01)
  assert.equal(monitor.level, 'normal')
  await pass(20_000, 0.01)
  assert.equal(monitor.level, 'normal')
  await pass(2_000, 1)
  assert.equal(monitor.level, 'full')
})

test('disposed of, it lets everybody in and refuses to be used', () => {
  const monitor = manual()
  monitor.observe({ block: 300 })
  monitor[Symbol.dispose]()
  monitor[Symbol.dispose]()
  assert.deepEqual([monitor.level, monitor.admit(), monitor.signals()], ['normal', undefined, {}])
  monitor.started()
  monitor.ended()
  assert.throws(() => monitor.explain(), { code: 'SEAWALL_DISPOSED' })
  assert.throws(() => monitor.observe({}), { code: 'SEAWALL_DISPOSED' })
})

test('the view on memory survives the growth of memory', () => {
  const monitor = manual()
  monitor.started()
  const many = Array.from({ length: 600 }, () => manual())
  monitor.observe({ block: 300 })
  assert.deepEqual([monitor.level, monitor.admit()?.cause, monitor.inFlight], ['full', 'block', 1])
  for (const other of many) other[Symbol.dispose]()
})

test('options are checked', () => {
  const refused = (options, option) =>
    assert.throws(
      () => new PressureMonitor(options),
      error => error instanceof OptionError && error.option === option,
      JSON.stringify(options),
    )
  refused({ blocks: 1 }, 'blocks')
  refused({ blockMs: { soft: 'x' } }, 'blockMs.soft')
  refused({ blockMs: { sofd: 1 } }, 'blockMs.sofd')
  refused({ heap: { soft: 0.9, hard: 0.8 } }, 'heap.hard')
  refused({ utilization: { soft: -1 } }, 'utilization.soft')
  refused({ sampleIntervalMs: 5 }, 'sampleIntervalMs')
  refused({ source: 'native' }, 'source')
  refused({ maxRetryAfterMs: -1 }, 'maxRetryAfterMs')
  manual({ delayMs: { soft: 50, hard: 50 } })[Symbol.dispose]()
})

test('classes of which all are refused are refused without asking, counted and remembered', () => {
  let now = 0
  const clock = { now: () => now, setTimer: () => 0, clearTimer() {} }
  const monitor = new PressureMonitor({ source: 'manual', clock, maxRetryAfterMs: 10_000 })
  monitor.observe({ block: 300 })
  now = 9_500
  monitor.observe({ delayP99: 400 })
  const waits = new Set()
  for (let i = 0; i < 40; i++) {
    const { cause, retryAfterMs } = monitor.admit(i % 2 ? { priority: 'low' } : undefined)
    assert.equal(cause, 'delayP99')
    assert.ok(retryAfterMs >= 10_000 && retryAfterMs <= 20_000, String(retryAfterMs))
    waits.add(retryAfterMs)
  }
  assert.ok(waits.size > 3, [...waits].join())
  // A user, or a level, is the engine's to judge.
  assert.equal(monitor.admit({ cohort: 'someone' })?.cause, 'delayP99')
  assert.equal(monitor.admit({ priority: 299 })?.cause, 'delayP99')
  assert.equal(monitor.admit({ priority: 'high' }), undefined)
  const { shed, shedBy } = monitor.explain()
  assert.equal(shed, 42, JSON.stringify(shedBy))
  monitor.setMaintenance(true)
  assert.equal(monitor.admit({ priority: 'veryHigh' }).cause, 'maintenance')
  assert.equal(monitor.explain().shed, 43)
  monitor.setMaintenance(false)
  monitor.update({ dryRun: true })
  assert.equal(monitor.admit(), undefined)
  assert.equal(monitor.explain().shed, 44)
  monitor[Symbol.dispose]()
  assert.equal(monitor.admit(), undefined)
})
