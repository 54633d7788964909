// @ts-check
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mock, test } from 'node:test'
import { chaos, failCalls, loopPause, randomExit } from 'seawall'

const silent = () => {}
const enabled = { enabled: true, announce: silent }

test('off unless asked: the function itself comes back, and nothing is said', () => {
  const error = mock.method(console, 'error', silent)
  const fn = async () => 1
  assert.equal(chaos({ rate: 1 })(fn), fn)
  assert.equal(failCalls(fn), fn)
  randomExit({ exit: () => assert.fail('exits') }).stop()
  loopPause().stop()
  assert.equal(error.mock.callCount(), 0)
  error.mock.restore()
})

test('what is enabled says so once', async () => {
  const error = mock.method(console, 'error', silent)
  const fn = chaos({ enabled: true, rate: 1 })(async () => 1)
  for (let i = 0; i < 5; i++) await fn().catch(silent)
  assert.equal(error.mock.callCount(), 1)
  assert.match(String(error.mock.calls[0]?.arguments[0]), /chaos.*on purpose/)
  error.mock.restore()
  const told = []
  chaos({ ...enabled, announce: text => told.push(text), latencyMs: 5 })
  assert.equal(told.length, 1)
  chaos({
    ...enabled,
    announce: () => {
      throw new Error('no matter')
    },
  })
})

test('faults at the rate asked for, the same for the same seed', async () => {
  const run = async seed => {
    const fn = chaos({ ...enabled, rate: 0.2, seed })(async () => 'ok')
    const ends = []
    for (let i = 0; i < 1000; i++) ends.push(await fn().catch(error => error.message))
    return ends
  }
  const ends = await run(1)
  const struck = ends.filter(end => end === 'chaos').length
  assert.ok(struck > 150 && struck < 250, `${struck}`)
  assert.deepEqual(await run(1), ends)
  assert.notDeepEqual(await run(2), ends)
})

test('a fault or a result may be a value or made; this and arguments pass', async () => {
  const fault = new Error('mine')
  await assert.rejects(
    chaos({ ...enabled, rate: 1, fault })(async () => 1)(),
    thrown => thrown === fault,
  )
  await assert.rejects(chaos({ ...enabled, rate: 1, fault: () => fault })(async () => 1)(), /mine/)
  const double = chaos({ ...enabled, rate: 1, result: n => n * 2 })(async n => n)
  assert.equal(await double(4), 8)
  const none = chaos({ ...enabled, rate: 1, result: undefined })(async () => 'real')
  assert.equal(await none(), undefined)
  const owner = {
    name: 'db',
    query: chaos({ ...enabled, rate: 0 })(async function (a) {
      return [this.name, a]
    }),
  }
  assert.deepEqual(await owner.query(1), ['db', 1])
})

test('latency delays the call within its range', async () => {
  const waits = []
  const clock = {
    now: () => 0,
    setTimer: (fn, ms) => {
      waits.push(ms)
      setImmediate(fn)
    },
    clearTimer: silent,
  }
  const fn = chaos({ ...enabled, rate: 1, latencyMs: 10, maxLatencyMs: 20, clock })(
    async () => 'ok',
  )
  for (let i = 0; i < 50; i++) assert.equal(await fn(), 'ok')
  assert.equal(waits.length, 50)
  assert.ok(waits.every(ms => ms >= 10 && ms < 20))
})

test('failCalls fails about one in ten thousand with "chaos query"', async () => {
  const fn = failCalls(async () => 1, { ...enabled, seed: 3 })
  const errors = []
  for (let i = 0; i < 100_000; i++) await fn().catch(error => errors.push(error.message))
  assert.ok(errors.length >= 1 && errors.length < 30, `${errors.length}`)
  assert.ok(errors.every(message => message === 'chaos query'))
})

test('randomExit: status 99 after a life of at most longestMs, and it says why', () => {
  const said = []
  const lives = []
  let status
  for (let seed = 0; seed < 200; seed++) {
    const clock = {
      now: () => 0,
      setTimer: (fn, ms) => {
        lives.push(ms)
        fn()
      },
      clearTimer: silent,
    }
    randomExit({
      enabled: true,
      longestMs: 1000,
      seed,
      clock,
      announce: text => said.push(text),
      exit: code => {
        status = code
      },
    })
  }
  assert.equal(status, 99)
  assert.ok(said.some(text => text.includes('chaos exit')))
  assert.ok(
    lives.every(ms => ms >= 0 && ms < 1000) && Math.max(...lives) > 800 && Math.min(...lives) < 200,
  )
  const script =
    "import { randomExit } from 'seawall'; randomExit({ enabled: true, longestMs: 50 }); setTimeout(() => {}, 5000)"
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    cwd: import.meta.dirname,
    encoding: 'utf8',
  })
  assert.equal(child.status, 99)
  assert.match(child.stderr, /chaos exit/)
})

test('loopPause blocks again and again until it is stopped', () => {
  const timers = []
  const clock = {
    now: () => 0,
    setTimer: (fn, ms) => timers.push({ fn, ms }),
    clearTimer: () => timers.pop(),
  }
  const pauses = []
  const experiment = loopPause({
    ...enabled,
    maxGapMs: 100,
    minPauseMs: 5,
    maxPauseMs: 9,
    seed: 1,
    clock,
    block: ms => pauses.push(ms),
  })
  for (let i = 0; i < 20; i++) timers.shift()?.fn()
  assert.equal(pauses.length, 20)
  assert.ok(pauses.every(ms => ms >= 5 && ms < 9))
  experiment.stop()
  experiment.stop()
  assert.equal(timers.length, 0)
})

test('options are checked, enabled or not', () => {
  const refused = (make, option) => assert.throws(make, { name: 'OptionError', option })
  refused(() => chaos({ rate: 2 }), 'rate')
  refused(() => chaos({ maxLatencyMs: 5 }), 'maxLatencyMs')
  refused(() => chaos({ latencyMs: 5, result: 1 }), 'latencyMs')
  refused(() => chaos({ fault: 1, result: 1 }), 'fault')
  refused(() => chaos(/** @type {any} */ ({ on: true })), 'on')
  refused(() => loopPause({ minPauseMs: 9, maxPauseMs: 5 }), 'maxPauseMs')
  refused(() => randomExit({ longestMs: -1 }), 'longestMs')
})
