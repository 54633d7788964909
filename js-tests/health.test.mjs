// @ts-check
// Sets of checks: one run at a time, what is too old, three answers.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createServer } from 'node:http'
import { afterEach, describe, it } from 'node:test'
import { HealthChecks, healthHandler } from 'seawall/health'
import { databaseCheck } from 'seawall/kysely'
import { settled, TimerClock } from './timer-clock.mjs'

/** What the test leaves open is closed after it, the last first. */
const open = []
const closing = what => {
  open.push(what)
  return what
}
afterEach(async () => {
  for (const what of open.splice(0).reverse()) {
    await (what[Symbol.asyncDispose] ?? what[Symbol.dispose]).call(what)
  }
})

/** A set under a clock that stands still, and what it told of. */
function make() {
  const clock = new TimerClock(1000)
  const checks = new HealthChecks({ clock })
  const changes = []
  const results = []
  checks.on('change', ({ kind, passing, reason }) => changes.push(`${kind} ${passing} ${reason}`))
  checks.on('result', result => results.push(result))
  return { clock, checks, changes, results }
}

/** A check that answers by hand. */
function manual() {
  const runs = []
  const check = context =>
    new Promise((resolve, reject) => runs.push({ ...context, resolve, reject }))
  return { check, runs }
}

describe('one check', () => {
  it('runs when it is added and then at each interval, and passes', async () => {
    const { clock, checks, changes } = make()
    let runs = 0
    checks.add('a', () => ++runs, { intervalMs: 1000 })
    assert.equal(checks.verdict('readiness').reason, 'pending')
    await settled()
    assert.deepEqual(changes, ['readiness false pending', 'readiness true passing'])
    await clock.pass(999)
    assert.equal(runs, 1)
    await clock.pass(1)
    assert.equal(runs, 2)
    await clock.pass(3000)
    assert.equal(runs, 5)
    assert.equal(changes.length, 2)
    checks[Symbol.dispose]()
    assert.equal(clock.timers, 0)
  })

  for (const [what, check, message] of [
    ['throws', () => assert.fail('at once'), 'at once'],
    ['rejects', async () => Promise.reject(new Error('later')), 'later'],
    ['rejects with nothing', async () => Promise.reject(), 'undefined'],
    ['answers false', () => false, 'the check answered false'],
    ['answers nothing', async () => {}, 'the check answered undefined'],
    ['answers 0', () => 0, 'the check answered 0'],
    [
      'is unhealthy in the words of others',
      () => ({ status: 'unhealthy', errors: ['gone'] }),
      'gone',
    ],
    [
      'fails with what cannot be printed',
      async () => Promise.reject(Object.create(null)),
      'an error that cannot be printed',
    ],
  ]) {
    it(`that ${what} is unhealthy, and says why`, async () => {
      const { checks } = make()
      checks.add('a', check)
      await settled()
      const { passing, reason, check: name, message: said } = checks.verdict('readiness')
      assert.deepEqual([passing, reason, name, said], [false, 'failing', 'a', message])
      assert.equal(checks.verdict('liveness').passing, true)
      checks[Symbol.dispose]()
    })
  }

  it('that is degraded is healthy, and says so', async () => {
    const { checks } = make()
    checks.add('a', () => ({ status: 'degraded' }))
    await settled()
    assert.equal(checks.verdict('readiness').passing, true)
    assert.equal(checks.report().checks[0]?.message, 'degraded')
  })

  it('that hangs fails at its timeout, with its signal aborted, and is never joined by another', async () => {
    const { clock, checks, results } = make()
    const { check, runs } = manual()
    checks.add('a', check, { timeoutMs: 500, intervalMs: 100, abandonMs: Number.POSITIVE_INFINITY })
    await clock.pass(499)
    assert.equal(checks.verdict('readiness').reason, 'pending')
    assert.equal(runs[0].signal.aborted, false)
    await clock.pass(1)
    const verdict = checks.verdict('readiness')
    assert.equal(verdict.reason, 'hanging')
    assert.match(verdict.message ?? '', /a timed out after 500 ms/)
    assert.equal(runs[0].signal.aborted, true)
    assert.equal(runs[0].signal.reason.code, 'SEAWALL_TIMEOUT')
    await clock.pass(60_000)
    assert.equal(runs.length, 1, 'after 600 intervals')
    assert.equal(results.length, 1)
    runs[0].resolve(true)
    await settled()
    assert.equal(checks.verdict('readiness').passing, false, 'late is not well')
    await clock.pass(100)
    assert.equal(runs.length, 2)
    runs[1].resolve(true)
    await settled()
    assert.equal(checks.verdict('readiness').passing, true)
    checks[Symbol.dispose]()
  })

  it('that hangs is given up after a while, each time later: 6 in an hour and not 3600', async () => {
    const { clock, checks } = make()
    const { check, runs } = manual()
    checks.add('a', check, { timeoutMs: 500, intervalMs: 1000 })
    await clock.pass(59_000)
    assert.equal(runs.length, 1)
    await clock.pass(2000)
    assert.equal(runs.length, 2)
    await clock.pass(3_540_000)
    assert.equal(runs.length, 6)
    runs[0].resolve(true)
    await settled()
    assert.equal(checks.verdict('readiness').passing, false, 'one given up does not count')
    runs[5].reject(new Error('down'))
    await clock.pass(1000)
    assert.equal(runs.length, 7)
    checks[Symbol.dispose]()
  })

  it('that nobody has heard of for its maximum age is not healthy, and says so without being asked', async () => {
    const { clock, checks, changes } = make()
    const { check, runs } = manual()
    const infinite = Number.POSITIVE_INFINITY
    checks.add('a', check, {
      intervalMs: 1000,
      maxAgeMs: 2500,
      timeoutMs: infinite,
      abandonMs: infinite,
    })
    runs[0].resolve(true)
    await clock.pass(2499)
    assert.equal(checks.isPassing('readiness'), true)
    changes.length = 0
    await clock.pass(1)
    assert.equal(checks.isPassing('readiness'), false)
    const { reason, check: name, forMs } = checks.verdict('readiness')
    assert.deepEqual([reason, name, forMs], ['stale', 'a', 0])
    assert.deepEqual(changes, ['readiness false stale'])
    runs[1].resolve(true)
    await settled()
    assert.equal(checks.isPassing('readiness'), true)
    checks[Symbol.dispose]()
  })

  it('counts as failing and as well again only after so many in a row', async () => {
    const { clock, checks } = make()
    let well = true
    checks.add('a', () => well, { intervalMs: 10, failures: 3, successes: 2 })
    const after = async (ms, state) => {
      well = state
      await clock.pass(ms)
      return checks.isPassing('readiness')
    }
    assert.equal(await after(10, true), true, 'two that passed')
    assert.equal(await after(20, false), true, 'two that failed')
    assert.equal(await after(10, true), true, 'and one that passed')
    assert.equal(await after(20, false), true)
    assert.equal(await after(10, false), false)
    assert.equal(await after(10, true), false)
    assert.equal(await after(10, true), true)
    checks[Symbol.dispose]()
  })

  it('whose timer is far too late, as after a blocked loop, may have its answer lying there', async () => {
    const { checks, clock } = make()
    const { check, runs } = manual()
    checks.add('a', check, { timeoutMs: 500 })
    const { setTimer } = clock
    let late = 0
    clock.setTimer = function (fn, ms) {
      return setTimer.call(this, fn, ms + late)
    }
    // The timeout was set before: the clock jumps past it as if the loop had been blocked.
    const now = clock.now()
    clock.now = () => now + 8000
    await clock.pass(500)
    late = 0
    assert.equal(checks.verdict('readiness').reason, 'pending')
    assert.equal(runs[0].signal.aborted, false)
    runs[0].resolve(true)
    await settled()
    assert.equal(checks.verdict('readiness').passing, true)
    checks[Symbol.dispose]()
  })

  it('without an interval runs when asked for, if it is old', async () => {
    const { clock, checks } = make()
    let runs = 0
    checks.add('a', () => ++runs, { intervalMs: Number.POSITIVE_INFINITY, maxAgeMs: 1000 })
    await clock.pass(100_000)
    assert.equal(runs, 1)
    assert.equal(checks.verdict('readiness').reason, 'stale')
    const [a, b] = await Promise.all([checks.check('readiness'), checks.check('readiness')])
    assert.equal(a.passing && b.passing, true)
    assert.equal(runs, 2, 'both joined one run')
    await clock.pass(999)
    await checks.check('readiness')
    assert.equal(runs, 2, 'the result is good for a while')
    await checks.run('a')
    assert.equal(runs, 3)
    checks[Symbol.dispose]()
  })
})

describe('three questions', () => {
  it('a failing liveness check is neither alive nor ready, after three in a row', async () => {
    const { clock, checks } = make()
    checks.add('a', () => false, { kind: 'liveness', intervalMs: 10 })
    await clock.pass(10)
    assert.equal(checks.isPassing('liveness'), true)
    await clock.pass(10)
    assert.equal(checks.isPassing('liveness'), false)
    assert.equal(checks.isPassing('readiness'), false)
    checks[Symbol.dispose]()
  })

  it('a liveness check that was not heard of for long still lives', async () => {
    const { checks, clock } = make()
    checks.add('a', () => true, { kind: 'liveness', intervalMs: Number.POSITIVE_INFINITY })
    await clock.pass(3_600_000)
    assert.equal(checks.isPassing('liveness'), true)
  })

  it('until the start-up checks have passed it is not ready, and afterwards they are not run', async () => {
    const { clock, checks, changes } = make()
    let up = false
    let runs = 0
    checks.add('up', () => ++runs > 0 && up, { kind: 'startup', intervalMs: 10 })
    checks.add('live', () => false, { kind: 'liveness', intervalMs: 10 })
    await clock.pass(50)
    assert.equal(checks.verdict('startup').reason, 'failing')
    assert.deepEqual(
      [checks.verdict('readiness').reason, checks.verdict('readiness').check],
      ['starting', 'up'],
    )
    assert.equal(checks.isPassing('liveness'), true, 'not asked before')
    checks.remove('live')
    up = true
    await clock.pass(10)
    assert.deepEqual(changes.slice(-2).sort(), ['readiness true passing', 'startup true passing'])
    const before = runs
    await clock.pass(1000)
    assert.equal(runs, before)
    assert.equal((await checks.run('up')).passing, true)
    assert.equal(runs, before)
    checks[Symbol.dispose]()
  })

  it('drain: not ready, alive; and back', () => {
    const { checks, clock } = make()
    checks.drain()
    assert.equal(checks.verdict('readiness').reason, 'draining')
    assert.equal(checks.verdict('liveness').passing, true)
    assert.equal(checks.report().draining, true)
    checks.setReady(true)
    assert.equal(checks.verdict('readiness').passing, true)
    assert.equal(clock.timers, 0)
  })

  it('setUnrecoverable: nothing passes, with its reason', () => {
    const { checks } = make()
    checks.setUnrecoverable(new Error('port taken'))
    for (const kind of /** @type {const} */ (['liveness', 'readiness', 'startup'])) {
      const { passing, reason, message } = checks.verdict(kind)
      assert.deepEqual([passing, reason, message], [false, 'unrecoverable', 'port taken'])
    }
    checks.setUnrecoverable(undefined)
    assert.equal(checks.isPassing('liveness'), true)
  })

  it('reports everything as plain data', async () => {
    const { checks, clock } = make()
    checks.add('a', () => false)
    await clock.pass(250)
    const report = checks.report()
    assert.deepEqual(structuredClone(report), report)
    const [a] = report.checks
    assert.deepEqual(a, {
      name: 'a',
      kind: 'readiness',
      passing: false,
      reason: 'failing',
      forMs: 250,
      ageMs: 250,
      runningMs: null,
      against: 0,
      durationMs: 0,
      message: 'the check answered false',
    })
    checks[Symbol.dispose]()
  })
})

describe('the set', () => {
  it('refuses what makes no sense', () => {
    const { checks } = make()
    checks.add('a', () => true)
    const refused = (option, options, name = 'b') =>
      assert.throws(() => checks.add(name, () => true, options), {
        code: 'SEAWALL_INVALID_OPTION',
        option,
      })
    refused('name', {}, 'a')
    refused('timeoutMs', { timeoutMs: 0 })
    refused('intervalMs', { intervalMs: -1 })
    refused('maxAgeMs', { maxAgeMs: 0 })
    refused('failures', { failures: 0.5 })
    refused('abandonMs', { abandonMs: 10 })
    refused('kind', { kind: 'deadness' })
    refused('interval', { interval: 5 })
    assert.throws(() => checks.verdict(/** @type {any} */ ('x')), { option: 'kind' })
    assert.throws(() => new HealthChecks(/** @type {any} */ ({ cloc: 1 })), { option: 'cloc' })
    assert.equal(checks.report().checks.length, 1)
    checks[Symbol.dispose]()
    assert.throws(() => checks.verdict('readiness'), { code: 'SEAWALL_DISPOSED' })
    assert.throws(() => checks.add('c', () => true), { code: 'SEAWALL_DISPOSED' })
  })

  it('disposing and removing abort the signals, and what still comes is ignored', async () => {
    const { checks, results } = make()
    const { check, runs } = manual()
    const remove = checks.add('a', check)
    checks.add('b', check)
    remove()
    assert.equal(runs[0].signal.aborted, true)
    checks[Symbol.dispose]()
    assert.equal(runs[1].signal.aborted, true)
    runs[0].resolve(true)
    runs[1].reject(new Error('late'))
    await settled()
    assert.deepEqual(results, [])
  })

  it('what a removed check still answers says nothing of one that is added after it', async () => {
    const { checks, results } = make()
    const [old, next] = [manual(), manual()]
    checks.add('a', old.check)
    checks.remove('a')
    checks.add('a', next.check)
    old.runs[0].resolve(true)
    await settled()
    assert.equal(checks.verdict('readiness').reason, 'pending')
    assert.deepEqual(results, [])
    next.runs[0].resolve(true)
    await settled()
    assert.equal(checks.verdict('readiness').passing, true)
  })

  it('a listener that throws changes nothing', async t => {
    t.mock.method(process, 'emitWarning', () => {})
    const { checks } = make()
    checks.on('result', () => assert.fail('in a listener'))
    checks.add('a', () => true)
    await settled()
    assert.equal(checks.isPassing('readiness'), true)
    checks[Symbol.dispose]()
  })

  it('a database of Kysely is a check, and hangs alone', async () => {
    const { clock, checks } = make()
    const waiting = []
    const execute = () => new Promise(resolve => waiting.push(resolve))
    const db = /** @type {any} */ ({ selectNoFrom: () => ({ execute }) })
    checks.add('db', databaseCheck(db), { intervalMs: 1000, timeoutMs: 500 })
    await clock.pass(30_000)
    assert.equal(waiting.length, 1)
    assert.equal(checks.verdict('readiness').reason, 'hanging')
    waiting[0]([])
    await clock.pass(1000)
    waiting[1]([])
    await settled()
    assert.equal(checks.verdict('readiness').passing, true)
    checks[Symbol.dispose]()
  })

  it('keeps no process alive', () => {
    const script = `
      import { HealthChecks } from 'seawall/health'
      const checks = new HealthChecks()
      checks.add('a', () => true)
      checks.add('b', () => new Promise(() => {}))
      setTimeout(() => console.log(checks.report().checks[0].reason), 20)
    `
    const { status, stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      cwd: import.meta.dirname,
      encoding: 'utf8',
      timeout: 20_000,
    })
    assert.deepEqual([status, stdout], [0, 'passing\n'])
  })
})

describe('healthHandler', () => {
  it('answers node:http with 200 and 503 and JSON, and leaves other paths alone', async () => {
    const checks = closing(new HealthChecks())
    let well = true
    checks.add('a', () => well, { intervalMs: Number.POSITIVE_INFINITY, maxAgeMs: 1 })
    const health = healthHandler(checks)
    const server = createServer((req, res) => void (health(req, res) || res.end('app')))
    await new Promise(resolve => server.listen(0, '127.0.0.1', () => resolve(undefined)))
    const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
    const get = async (path, init = {}) => {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, init)
      const text = await response.text()
      return { status: response.status, text, headers: response.headers }
    }
    assert.equal((await get('/')).text, 'app')
    const ready = await get('/readyz?verbose')
    assert.equal(ready.status, 200)
    assert.equal(ready.headers.get('content-type'), 'application/json')
    assert.equal(ready.headers.get('cache-control'), 'no-store')
    const { status, probe, reason, checks: list } = JSON.parse(ready.text)
    assert.deepEqual([status, probe, reason, list[0].name], ['pass', 'readiness', 'passing', 'a'])
    well = false
    await new Promise(resolve => setTimeout(resolve, 5))
    const bad = await get('/healthz')
    assert.equal(bad.status, 503)
    assert.equal(JSON.parse(bad.text).check, 'a')
    assert.equal((await get('/livez')).status, 200)
    assert.equal((await get('/startupz')).status, 200)
    const head = await get('/readyz', { method: 'HEAD' })
    assert.deepEqual([head.status, head.text], [503, ''])
    assert.equal((await get('/readyz', { method: 'POST' })).status, 405)
    checks[Symbol.dispose]()
    assert.equal((await get('/readyz')).status, 503)
    await new Promise(resolve => server.close(resolve))
  })

  it('answers fetch-style servers; paths and details can be set', async () => {
    const checks = closing(new HealthChecks())
    checks.add('secret-host', () => false)
    const health = healthHandler(checks, {
      paths: { readiness: '/api/ready', health: false },
      details: false,
    })
    const ask = async (path, init = {}) => health(new Request(`http://x${path}`, init))
    assert.equal(await ask('/readyz'), undefined)
    assert.equal(await ask('/healthz'), undefined)
    const answer = await ask('/api/ready')
    assert.equal(answer?.status, 503)
    const body = await answer?.json()
    assert.equal(body.checks, undefined)
    assert.equal(body.message, undefined)
    assert.equal(body.reason, 'failing')
    assert.equal((await ask('/livez', { method: 'DELETE' }))?.status, 405)
    assert.throws(() => healthHandler(checks, /** @type {any} */ ({ path: {} })), {
      option: 'path',
    })
    assert.throws(() => healthHandler(checks, { paths: /** @type {any} */ ({ live: '' }) }), {
      option: 'paths.live',
    })
  })
})
