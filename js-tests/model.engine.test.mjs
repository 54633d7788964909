// Random lives of circuit breakers, on the path that does not ask the engine, compared with a model
// that recounts everything. A failing life is named by its seed: SEAWALL_SEED=… runs it alone.
// SEAWALL_LIVES=… runs more of them.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CircuitBreaker } from 'seawall'
import { ModelBreaker } from './breaker-model.mjs'
import { ManualClock } from './breaker-tools.mjs'

const { SEAWALL_SEED, SEAWALL_LIVES = '60' } = process.env
const LIVES = Number(SEAWALL_LIVES)
const STEPS = 400

/** mulberry32: small, and the same everywhere. */
function random(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

const rules = {
  consecutive: { threshold: 3, resetTimeMs: 50 },
  'failures within a time': { threshold: 4, withinMs: 40, resetTimeMs: 50 },
  'calls of a window': {
    failureRate: 0.5,
    window: { calls: 12 },
    minimumCalls: 6,
    resetTimeMs: 50,
  },
  'a large window with a small minimum': {
    failureRate: 0.3,
    window: { calls: 150 },
    minimumCalls: 3,
    resetTimeMs: 20,
  },
  'a window of time': {
    failureRate: 0.5,
    window: { ms: 100, slices: 5 },
    minimumCalls: 5,
    resetTimeMs: 50,
  },
  'one slice of time': {
    failureRate: 0.25,
    window: { ms: 64, slices: 1 },
    minimumCalls: 8,
    resetTimeMs: 30,
  },
  'slow calls': { slowCallRate: 0.5, slowCallMs: 15, window: { calls: 10 }, resetTimeMs: 50 },
  'slow and failed calls in time': {
    failureRate: 0.75,
    slowCallRate: 0.5,
    slowCallMs: 10,
    window: { ms: 80, slices: 4 },
    minimumCalls: 4,
    resetTimeMs: 25,
  },
  'several probes': {
    threshold: 2,
    resetTimeMs: 20,
    halfOpen: { permits: 4, successRate: 0.5, leaseMs: 15 },
  },
}

class Life {
  clock = new ManualClock(1_000)
  underWay = []
  heard = []
  holds = []
  log = []

  constructor(options, seed) {
    this.draw = random(seed)
    this.model = new ModelBreaker(options)
    this.forgiven = new Error('neutral')
    this.breaker = new CircuitBreaker({
      ...options,
      clock: this.clock,
      isFailure: error => error !== this.forgiven,
      onStateChange: (to, from) => this.heard.push(`${from} > ${to}`),
    })
    // Some lives are calm for long, so that much is counted without asking.
    this.failing = [0.05, 0.3, 0.7][this.below(3)]
  }

  below(n) {
    return Math.floor(this.draw() * n)
  }

  async step() {
    const dice = this.draw()
    if (dice < 0.42) this.start()
    else if (dice < 0.75) await this.end()
    else if (dice < 0.93) this.pass()
    else if (dice < 0.96) this.compare()
    else await this.intervene()
    assert.deepEqual(this.heard, this.model.changes)
  }

  start() {
    const expected = this.model.start(this.clock.now())
    const { promise, resolve, reject } = Promise.withResolvers()
    let ran = false
    const result = this.breaker
      .execute(() => {
        ran = true
        return promise
      })
      .then(
        value => ({ value }),
        error => ({ error }),
      )
    this.log.push(`start ${ran}`)
    assert.equal(ran, typeof expected !== 'string', `admitted while the model says ${expected}`)
    if (ran) this.underWay.push({ permit: expected, resolve, reject, result })
    else this.refusal = result.then(({ error }) => assert.equal(error.reason, expected))
  }

  /** Some of the calls under way end, in any order, within one turn. */
  async end() {
    const settled = []
    for (let n = 1 + this.below(4); n > 0 && this.underWay.length > 0; n--) {
      const [call] = this.underWay.splice(this.below(this.underWay.length), 1)
      const how = this.draw() < 0.1 ? 'neutral' : this.draw() < this.failing ? 'failure' : 'success'
      this.model.end(call.permit, how, this.clock.now())
      const value = { success: 'a value', failure: new Error('down'), neutral: this.forgiven }[how]
      if (how === 'success') call.resolve(value)
      else call.reject(value)
      this.log.push(how)
      settled.push(
        call.result.then(({ value: answer, error }) => assert.equal(answer ?? error, value)),
      )
    }
    await Promise.all(settled)
  }

  pass() {
    const ms = [0, 1, 1, 2, 5, 13, 21, 60, 150][this.below(9)]
    this.log.push(`pass ${ms}`)
    this.clock.pass(ms)
  }

  async intervene() {
    const now = this.clock.now()
    const act = ['reset', 'forceOpen', 'isolate', 'release', 'release', 'setMode'][this.below(6)]
    this.log.push(act)
    if (act === 'reset') {
      this.model.close()
      await this.breaker.reset()
    } else if (act === 'forceOpen') {
      this.model.forceOpen(now)
      await this.breaker.forceOpen()
    } else if (act === 'isolate') {
      this.model.isolate()
      this.holds.push(this.breaker.isolate())
    } else if (act === 'release') {
      if (this.holds.length > 0) this.model.release()
      this.holds.pop()?.[Symbol.dispose]()
    } else {
      const mode = ['enforce', 'enforce', 'enforce', 'dryRun', 'disabled'][this.below(5)]
      this.model.setMode(mode)
      this.breaker.setMode(mode)
    }
  }

  compare() {
    const { breaker, model } = this
    const now = this.clock.now()
    const seen = breaker.explain()
    assert.deepEqual(seen.totals, model.totals)
    assert.equal(seen.generation, model.generation)
    assert.equal(seen.mode, model.mode)
    assert.equal(seen.openings, model.openings)
    assert.equal(breaker.getState().state, model.visible())
    assert.equal(breaker.isOpen(), model.visible() === 'open')
    assert.equal(breaker.isClosed(), model.visible() === 'closed')
    if (model.state !== 'closed') return
    const { calls, failures, slow } = model.counts(now)
    assert.deepEqual([seen.calls, seen.failures, seen.slow], [calls, failures, slow])
  }

  async finish() {
    for (const { permit, resolve, result } of this.underWay) {
      this.model.end(permit, 'success', this.clock.now())
      resolve(1)
      await result
    }
    await this.refusal
    this.compare()
    this.breaker[Symbol.dispose]()
  }
}

for (const [rule, options] of Object.entries(rules)) {
  test(`random lives with ${rule}`, async () => {
    const changes = {}
    const first = SEAWALL_SEED === undefined ? 0 : Number(SEAWALL_SEED)
    const count = SEAWALL_SEED === undefined ? LIVES : 1
    for (let seed = first; seed < first + count; seed++) {
      const life = new Life(options, seed)
      try {
        for (let i = 0; i < STEPS; i++) await life.step()
        await life.finish()
      } catch (error) {
        const end = life.log.slice(-12).join(', ')
        throw new Error(`seed ${seed} goes wrong after ${end}`, { cause: error })
      }
      for (const change of life.heard) changes[change] = (changes[change] ?? 0) + 1
    }
    // Lives that never opened, closed or probed would prove little.
    for (const change of [
      'closed > open',
      'open > half-open',
      'half-open > closed',
      'half-open > open',
    ]) {
      assert.ok(count === 1 || changes[change] > 5, `${change}: ${changes[change]}`)
    }
  })
}
