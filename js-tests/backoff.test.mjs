// @ts-check
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import {
  Backoff,
  connectionSchedule,
  constant,
  decorrelated,
  engineKind,
  exponential,
  fibonacci,
  linear,
  list,
  requestSchedule,
} from 'seawall'

const take = (backoff, count) => Array.from({ length: count }, (_, i) => backoff.delay(i + 1))

const vectors = JSON.parse(
  readFileSync(new URL('../rust-tests/vectors/backoff.json', import.meta.url), 'utf8'),
)

test('answers the vectors, in this engine', () => {
  for (const { name, options, attempts, waits } of vectors) {
    const backoff = new Backoff(options)
    let previous = 0
    for (const [i, attempt] of attempts.entries()) {
      const wait = backoff.delay(attempt, previous)
      assert.equal(wait, waits[i], `${name} at attempt ${attempt}, ${engineKind()}`)
      previous = wait ?? previous
    }
  }
})

for (const kind of ['native', 'wasm']) {
  test(`answers the vectors, in the ${kind} engine`, {
    skip: process.env.SEAWALL_ENGINE === kind,
  }, () => {
    const { status, stdout } = spawnSync(
      process.execPath,
      ['--test', '--test-name-pattern=in this engine', fileURLToPath(import.meta.url)],
      {
        env: { ...process.env, NODE_TEST_CONTEXT: undefined, SEAWALL_ENGINE: kind },
        encoding: 'utf8',
      },
    )
    assert.equal(status, 0, stdout)
    assert.match(stdout, /pass 1\b/)
  })
}

test('the strategies', () => {
  assert.deepEqual(take(constant({ delayMs: 7, jitter: 'none' }), 3), [7, 7, 7])
  assert.deepEqual(take(linear({ delayMs: 10, stepMs: 5, jitter: 'none' }), 3), [10, 15, 20])
  assert.deepEqual(
    take(exponential({ delayMs: 100, factor: 3, jitter: 'none' }), 3),
    [100, 300, 900],
  )
  assert.deepEqual(take(fibonacci({ delayMs: 10, jitter: 'none' }), 5), [10, 10, 20, 30, 50])
  assert.deepEqual(take(list({ delaysMs: [1, 2] }), 3), [1, 2, null])
  const apart = [...decorrelated({ delayMs: 10, maxDelayMs: 50, maxAttempts: 50 })]
  assert.ok(apart.length === 49 && apart.every(wait => wait >= 10 && wait < 50))
})

test('the connection schedule goes on for ever, the request schedule ends', () => {
  assert.deepEqual(take(connectionSchedule(), 8), [100, 250, 500, 1000, 2500, 5000, 5000, 5000])
  assert.deepEqual([...requestSchedule()], [10, 20, 40])
})

test("ioredis' 1-based times begin with the first entry", () => {
  const times = connectionSchedule().times()
  assert.deepEqual([1, 2, 3].map(times), [100, 250, 500])
  const limited = constant({ delayMs: 10, jitter: 'none', maxElapsedMs: 25 }).times()
  assert.deepEqual([1, 2, 3].map(limited), [10, 10, null])
  assert.deepEqual([1, 2].map(limited), [10, 10], 'number 1 begins a new run')
})

test('a plus-or-minus share of 0.1 is random * 0.2t + 0.9t', () => {
  const waits = take(connectionSchedule({ jitter: 0.1, seed: 3 }), 500).slice(5)
  assert.ok(waits.every(wait => wait >= 4500 && wait <= 5500))
  assert.ok(Math.min(...waits) < 4600 && Math.max(...waits) > 5400)
})

test('the same seed gives the same waits, no seed different ones', () => {
  const run = seed => take(exponential({ seed }), 20)
  assert.deepEqual(run(5), run(5))
  assert.notDeepEqual(run(undefined), run(undefined))
})

test('attempt 1024 and beyond is safe', () => {
  for (const backoff of [exponential(), linear(), fibonacci(), decorrelated(), constant()]) {
    for (const attempt of [1023, 1024, 1025, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER, Infinity]) {
      const wait = backoff.delay(attempt, 30_000)
      assert.ok(wait !== null && wait > 0 && wait <= 30_000, `attempt ${attempt}: ${wait}`)
    }
  }
})

test('the herd at the cap stays spread', () => {
  for (const jitter of /** @type {const} */ (['full', 'equal', 0.25])) {
    const backoff = exponential({ delayMs: 1000, maxDelayMs: 30_000, jitter, seed: 1 })
    for (const attempt of [7, 9, 11]) {
      const waits = Array.from({ length: 2000 }, () => backoff.delay(attempt))
      assert.ok(waits.filter(wait => wait === 30_000).length < 5)
      assert.ok(waits.every(wait => wait !== null && wait <= 30_000))
    }
  }
})

test('options are checked at construction', () => {
  const refused = (options, option) =>
    assert.throws(() => new Backoff(options), {
      name: 'OptionError',
      code: 'SEAWALL_INVALID_OPTION',
      option,
    })
  refused({ delay: 5 }, 'delay')
  refused({ delayMs: '5' }, 'delayMs')
  refused({ delayMs: Number.NaN }, 'delayMs')
  refused({ delayMs: -1 }, 'delayMs')
  refused({ delayMs: 5, maxDelayMs: 4 }, 'maxDelayMs')
  refused({ jitter: 'some' }, 'jitter')
  refused({ jitter: 2 }, 'jitter')
  refused({ factor: 0.5 }, 'factor')
  refused({ stepMs: 5 }, 'stepMs')
  refused({ strategy: 'list' }, 'delaysMs')
  refused({ strategy: 'list', delaysMs: [] }, 'delaysMs')
  refused({ maxAttempts: 0 }, 'maxAttempts')
  refused({ maxAttempts: 1.5 }, 'maxAttempts')
  refused({ maxElapsedMs: -5 }, 'maxElapsedMs')
  refused({ strategy: 'decorrelated', jitter: 'full' }, 'jitter')
})

test('a disposed schedule gives up; disposing twice harms nobody', () => {
  const backoff = constant({ delayMs: 5 })
  backoff[Symbol.dispose]()
  const other = constant({ delayMs: 9, jitter: 'none' })
  backoff[Symbol.dispose]()
  assert.equal(backoff.delay(1), null)
  assert.equal(other.delay(1), 9)
})
