// @ts-check
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import http from 'node:http'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import Database from 'better-sqlite3'
import { classify, engineKind, isTransientError, mayRepeat } from 'seawall'

const verdict = (transient, processed, scope, throttled = false) => ({
  transient,
  processed,
  scope,
  throttled,
})
const UNSENT = verdict(true, 'no', 'connection')
const LOST = verdict(true, 'maybe', 'connection')
const coded = (code, more) => Object.assign(new Error('x'), { code }, more)

test('the engine that was asked for decides', () => {
  const wanted = process.env.SEAWALL_ENGINE
  if (wanted) assert.equal(engineKind(), wanted)
})

describe('families', () => {
  const cases = [
    ['a refused connection', coded('ECONNREFUSED'), UNSENT],
    ['a reset', coded('ECONNRESET', { syscall: 'read', errno: -104 }), LOST],
    ['a silence while connecting', coded('ETIMEDOUT', { syscall: 'connect' }), UNSENT],
    ['a silence', coded('ETIMEDOUT'), LOST],
    ['a lookup', coded('EAI_AGAIN', { syscall: 'getaddrinfo' }), UNSENT],
    ['PostgreSQL', coded('40001', { severity: 'ERROR' }), verdict(true, 'no', 'transaction')],
    ['PostgreSQL refusing', coded('23505'), verdict(false, 'no', 'transaction')],
    [
      'MySQL by number',
      coded(undefined, { errno: 1213, sqlState: '40001' }),
      verdict(true, 'no', 'transaction'),
    ],
    [
      'MySQL refusing',
      coded('ER_DUP_ENTRY', { errno: 1062, sqlState: '23000' }),
      verdict(false, 'no', 'statement'),
    ],
    ['SQL Server', coded('EREQUEST', { number: 1205 }), verdict(true, 'no', 'transaction')],
    [
      'SQL Server throttling',
      coded('ELOGIN', { number: 40501 }),
      verdict(true, 'no', 'connection', true),
    ],
    ['tedious', coded('ESOCKET'), LOST],
    [
      'node:sqlite',
      coded('ERR_SQLITE_ERROR', { errcode: 517 }),
      verdict(true, 'no', 'transaction'),
    ],
    ['gRPC', coded(14, { details: 'x', metadata: {} }), LOST],
    [
      'connect-es',
      Object.assign(new Error(), { name: 'ConnectError', code: 8 }),
      verdict(true, 'no', 'request', true),
    ],
    [
      'MongoDB by label',
      coded(112, { name: 'MongoServerError', errorLabels: ['TransientTransactionError'] }),
      verdict(true, 'no', 'transaction'),
    ],
    ['MongoDB by code', coded(10107, { name: 'MongoServerError' }), UNSENT],
    [
      'ioredis',
      Object.assign(new Error('LOADING Redis is loading the dataset in memory'), {
        name: 'ReplyError',
      }),
      UNSENT,
    ],
    [
      'node-redis by class',
      new (class SimpleError extends Error {})('TRYAGAIN x'),
      verdict(true, 'no', 'request'),
    ],
    ['node-redis offline', new (class ClientOfflineError extends Error {})('x'), UNSENT],
    [
      'AWS',
      Object.assign(new Error('x'), {
        name: 'ThrottlingException',
        $metadata: { httpStatusCode: 400 },
      }),
      verdict(true, 'no', 'request', true),
    ],
    [
      'AWS marked',
      Object.assign(new Error('x'), { name: 'Odd', $retryable: { throttling: true } }),
      verdict(true, 'no', 'request', true),
    ],
    ['Google by status', Object.assign(new Error('x'), { status: 'UNAVAILABLE' }), LOST],
    [
      'gaxios',
      coded('503', { response: { status: 503, headers: {} } }),
      verdict(true, 'maybe', 'request'),
    ],
    [
      'axios',
      coded('ERR_BAD_RESPONSE', { response: { status: 502 } }),
      verdict(true, 'maybe', 'request'),
    ],
    [
      'http-errors',
      Object.assign(new Error('x'), { statusCode: 404 }),
      verdict(false, 'yes', 'request'),
    ],
    [
      'pg-pool',
      new Error('timeout exceeded when trying to connect'),
      verdict(true, 'no', 'connection', true),
    ],
    ['mysql2', new Error("Can't add new command when connection is in closed state"), UNSENT],
    ['Chrome', new TypeError('Failed to fetch'), LOST],
    ['Safari', new TypeError('Load failed'), LOST],
    ['Workers', new Error('Network connection lost.'), LOST],
    ['Bun', coded('ConnectionRefused', { name: 'Error' }), UNSENT],
    ['an abort', AbortSignal.abort().reason, verdict(false, 'maybe', 'request')],
    ['a timeout', new DOMException('x', 'TimeoutError'), verdict(true, 'maybe', 'request')],
  ]
  for (const [title, error, wanted] of cases) {
    test(title, () => assert.deepEqual(classify(error), wanted))
  }

  test('what nobody knows has no verdict', () => {
    const unknown = [
      new Error('boom'),
      coded('UNKNOWN_ERROR'),
      coded(1205),
      coded(2 ** 32 + 1205, { number: 2 ** 32 + 1205 }),
      coded('ECONNRESET\0'),
      {},
      Object.create(null),
      [],
      null,
      undefined,
      'ECONNRESET',
      503,
      () => {},
      Symbol('x'),
      new Response('', { status: 200 }),
      { status: 302 },
    ]
    for (const value of unknown) assert.equal(classify(value), undefined)
  })
})

describe('answers and their waits', () => {
  const now = Date.UTC(2026, 0, 1)
  const wait = (status, headers) => classify({ status, headers }, { now })?.retryAfterMs

  test('a Response', () => {
    const response = new Response('', { status: 503, headers: { 'Retry-After': '7' } })
    assert.deepEqual(classify(response), {
      ...verdict(true, 'maybe', 'request', true),
      retryAfterMs: 7000,
    })
    assert.deepEqual(
      classify(new Response('', { status: 429 })),
      verdict(true, 'no', 'request', true),
    )
  })

  test('Retry-After in all its forms', () => {
    assert.equal(wait(503, { 'retry-after': '120' }), 120_000)
    assert.equal(wait(503, { 'Retry-After': 3 }), 3000)
    assert.equal(wait(503, { 'retry-after': ['4', '5'] }), 4000)
    assert.equal(wait(503, { 'RETRY-AFTER-MS': '250', 'retry-after': '9' }), 250)
    assert.equal(wait(503, { 'x-ms-retry-after-ms': '40' }), 40)
    assert.equal(wait(503, { 'retry-after': 'Thu, 01 Jan 2026 00:00:30 GMT' }), 30_000)
    assert.equal(wait(503, { 'retry-after': 'Thursday, 01-Jan-26 00:00:30 GMT' }), 30_000)
    assert.equal(wait(503, { 'retry-after': 'Thu Jan  1 00:00:30 2026' }), 30_000)
    assert.equal(wait(503, { 'retry-after': 'Thu, 01 Jan 2015 00:00:30 GMT' }), 0)
    assert.equal(wait(503, { 'retry-after': 'soon' }), undefined)
    assert.equal(wait(404, { 'retry-after': '120' }), undefined)
  })

  test('a date is measured against the clock unless a present is given', () => {
    const date = new Date(Date.now() + 60_000).toUTCString()
    const ms = classify({ status: 429, headers: { 'retry-after': date } })?.retryAfterMs
    assert.ok(ms > 50_000 && ms <= 60_000, `${ms}`)
  })

  test('rate limit headers', () => {
    const reset = String(now / 1000 + 20)
    assert.equal(wait(429, { 'x-ratelimit-reset': reset }), 20_000)
    assert.equal(wait(429, { 'x-ratelimit-reset': '20' }), 20_000)
    assert.equal(wait(403, { 'x-ratelimit-reset': reset, 'x-ratelimit-remaining': '0' }), 20_000)
    assert.equal(wait(500, { 'x-ratelimit-reset': reset }), undefined)
    assert.equal(wait(429, new Headers({ RateLimit: '"a";r=0;t=5' })), 5000)
    assert.equal(wait(429, new Map([['ratelimit-reset', '6']])), 6000)
    assert.equal(wait(429, { 'x-ratelimit-reset-tokens': '1m2s' }), 62_000)
  })

  test('headers of the answer behind an error', () => {
    const error = coded('ERR_BAD_REQUEST', {
      response: { status: 429, headers: { 'retry-after': '1' } },
    })
    assert.equal(classify(error)?.retryAfterMs, 1000)
  })
})

describe('causes and aggregates', () => {
  const caused = (cause, more) => Object.assign(new Error('outer', { cause }), more)

  test('the outermost known error decides', () => {
    assert.deepEqual(classify(caused(coded('ECONNREFUSED'))), UNSENT)
    assert.deepEqual(classify(caused(caused(coded('ECONNREFUSED')))), UNSENT)
    assert.deepEqual(classify(caused(coded('ECONNREFUSED'), { code: '57P01' })), LOST)
    assert.deepEqual(classify(caused(coded('ECONNREFUSED'), { code: 'MINE' })), UNSENT)
    assert.deepEqual(
      classify(Object.assign(new Error(), { original: coded('40001') }))?.scope,
      'transaction',
    )
  })

  test('a wrapper with a cause says nothing of its own', () => {
    assert.deepEqual(classify(new TypeError('fetch failed')), LOST)
    assert.deepEqual(classify(new TypeError('fetch failed', { cause: coded('ENOTFOUND') })), UNSENT)
    assert.equal(
      classify(new TypeError('fetch failed', { cause: new Error('bad port') })),
      undefined,
    )
  })

  test('parts are joined', () => {
    const joined = new AggregateError([
      coded('ECONNREFUSED'),
      coded('ECONNRESET'),
      new Error('odd'),
    ])
    assert.deepEqual(classify(joined), LOST)
    const mixed = new AggregateError([coded('ECONNREFUSED'), coded('23505')])
    assert.deepEqual(classify(mixed), verdict(false, 'no', 'connection'))
    const waits = new AggregateError([
      { status: 429, headers: { 'retry-after': '1' } },
      { status: 503, headers: { 'retry-after': '9' } },
    ])
    assert.deepEqual(classify(waits), {
      ...verdict(true, 'maybe', 'request', true),
      retryAfterMs: 9000,
    })
    assert.deepEqual(
      classify(new AggregateError([new Error('odd')], 'x', { cause: coded('EPIPE') })),
      LOST,
    )
  })

  test('circles end', () => {
    const a = new Error('a')
    const b = new Error('b', { cause: a })
    a.cause = b
    assert.equal(classify(a), undefined)
    assert.equal(isTransientError(a), false)
    const all = new AggregateError([])
    all.errors.push(all, all, coded('EPIPE'), all)
    assert.deepEqual(classify(all), LOST)
    assert.equal(isTransientError(all), true)
  })

  test('depth and width end', () => {
    let deep = coded('ECONNRESET')
    for (let i = 0; i < 10_000; i++) deep = new Error('layer', { cause: deep })
    assert.equal(classify(deep), undefined)
    assert.equal(isTransientError(deep), false)
    const started = performance.now()
    let wide = [coded('EPIPE')]
    for (let i = 0; i < 8; i++) wide = Array.from({ length: 100 }, () => new AggregateError(wide))
    classify(new AggregateError(wide))
    isTransientError(new AggregateError(wide))
    let reads = 0
    const endless = () =>
      new Proxy(
        {},
        {
          get(_, key) {
            reads++
            if (key === 'cause' || key === '0') return endless()
            return key === 'length' ? 1e9 : undefined
          },
        },
      )
    assert.equal(classify(endless()), undefined)
    assert.equal(isTransientError(endless()), false)
    assert.ok(reads < 10_000, `${reads} reads`)
    assert.ok(performance.now() - started < 5000)
  })
})

describe('hostile objects', () => {
  const thrower = new Proxy(
    {},
    {
      get() {
        throw new Error('get')
      },
      has() {
        throw new Error('has')
      },
      ownKeys() {
        throw new Error('keys')
      },
      getPrototypeOf() {
        throw new Error('proto')
      },
    },
  )
  const { proxy: revoked, revoke } = Proxy.revocable({}, {})
  revoke()
  const { proxy: revokedList, revoke: revokeList } = Proxy.revocable([], {})
  revokeList()
  const hostile = [
    thrower,
    revoked,
    {
      get code() {
        throw new Error('code')
      },
    },
    {
      code: {
        toString() {
          throw new Error('toString')
        },
      },
    },
    { code: Symbol('x'), number: Symbol('y'), name: Symbol('z'), message: {} },
    { number: 1n, errno: 2n, status: 3n },
    { code: 'x'.repeat(1e6), message: '\0'.repeat(1e6), name: '\ud800' },
    { errors: revokedList, cause: thrower, errorLabels: revokedList },
    {
      errors: new Proxy([], {
        get() {
          throw new Error('list')
        },
      }),
    },
    { status: 429, headers: thrower },
    {
      status: 429,
      headers: {
        get() {
          throw new Error('header')
        },
      },
    },
    { status: 429, headers: { get: () => thrower } },
    {
      status: 429,
      headers: new Proxy(
        {},
        {
          ownKeys() {
            throw new Error('keys')
          },
        },
      ),
    },
    Object.freeze({ code: 'NOPE' }),
    Object.create(null),
    { status: Number.NaN, code: Number.POSITIVE_INFINITY },
    { constructor: thrower },
    { response: thrower, $metadata: thrower, $retryable: thrower },
  ]
  test('nothing throws', () => {
    for (const object of hostile) {
      classify(object)
      classify(object, { now: Number.NaN, method: 'GET' })
      assert.equal(isTransientError(object), false)
    }
  })

  test('what is known of them still counts', () => {
    const frozen = Object.freeze(Object.assign(Object.create(null), { code: 'ECONNREFUSED' }))
    assert.deepEqual(classify(frozen), UNSENT)
    assert.deepEqual(
      classify({
        get name() {
          throw new Error('name')
        },
        code: 'EPIPE',
      }),
      LOST,
    )
    assert.deepEqual(classify({ cause: { code: 'EPIPE' }, errors: thrower }), LOST)
  })
})

describe('isTransientError', () => {
  const CODES = [
    'ECONNREFUSED',
    'ETIMEDOUT',
    'ECONNRESET',
    'EPIPE',
    '57P03',
    '57P02',
    '57P01',
    '08000',
    '08001',
    '08003',
    '08004',
    '08006',
    '40001',
    '40P01',
    'ER_LOCK_DEADLOCK',
    'ER_LOCK_WAIT_TIMEOUT',
    'ER_CON_COUNT_ERROR',
    'PROTOCOL_CONNECTION_LOST',
    'SQLITE_BUSY',
    'SQLITE_LOCKED',
    '-2',
    '1205',
    '1222',
    '-1',
    '233',
    '10054',
    '10053',
  ]
  test('the list, as code and as number', () => {
    assert.equal(CODES.length, 27)
    for (const code of CODES) {
      assert.equal(isTransientError({ code }), true, code)
      assert.equal(isTransientError({ code: 'OTHER', number: code }), true, code)
    }
    for (const number of [-2, 1205, 1222, -1, 233, 10054, 10053]) {
      assert.equal(isTransientError({ number }), true)
      assert.equal(isTransientError({ code: number }), true)
      assert.equal(isTransientError({ code: 'EREQUEST', number }), true)
    }
  })

  test('what is not on it', () => {
    const others = [
      { code: 'UNKNOWN_ERROR' },
      { code: '23505' },
      { code: '23503' },
      new Error('x'),
      {},
      null,
      undefined,
      'ECONNRESET',
      1205,
      Object.assign(() => {}, { code: 'ECONNRESET' }),
      { code: 'ENOTFOUND' },
      { status: 503 },
    ]
    for (const other of others) assert.equal(isTransientError(other), false)
  })

  test('extended codes of SQLite', () => {
    for (const code of [
      'SQLITE_BUSY_SNAPSHOT',
      'SQLITE_BUSY_TIMEOUT',
      'SQLITE_LOCKED_SHAREDCACHE',
    ]) {
      assert.equal(isTransientError({ code }), true, code)
    }
    assert.equal(isTransientError({ code: 'ERR_SQLITE_ERROR', errcode: 261 }), true)
    assert.equal(isTransientError({ code: 'ERR_SQLITE_ERROR', errcode: 2067 }), false)
  })

  test('causes and parts', () => {
    const cause = coded('ECONNRESET')
    assert.equal(isTransientError(new Error('x', { cause })), true)
    assert.equal(isTransientError(Object.assign(new Error('x', { cause }), { code: 'WRAP' })), true)
    assert.equal(
      isTransientError(Object.assign(new Error('x', { cause }), { code: '23505' })),
      false,
    )
    assert.equal(isTransientError(new AggregateError([cause, coded('ENETUNREACH')])), true)
    assert.equal(isTransientError(new AggregateError([coded('23505'), cause])), false)
    assert.equal(isTransientError(new AggregateError([cause, coded('23505')])), false)
    assert.equal(isTransientError(new AggregateError([])), false)
  })
})

describe('mayRepeat', () => {
  const refused = classify(coded('ECONNREFUSED'))
  const reset = classify(coded('ECONNRESET'))
  const server = classify({ status: 500 })
  const client = classify({ status: 404 })

  test('the table of the methods', () => {
    for (const method of ['GET', 'HEAD', 'PUT', 'DELETE', 'get']) {
      for (const failure of [refused, reset, server]) assert.equal(mayRepeat(method, failure), true)
    }
    for (const method of ['POST', 'PATCH', 'BREW', '', undefined]) {
      assert.equal(mayRepeat(method, refused), true)
      assert.equal(mayRepeat(method, reset), false)
      assert.equal(mayRepeat(method, server), false)
    }
    for (const method of ['GET', 'POST']) assert.equal(mayRepeat(method, client), false)
    assert.equal(mayRepeat('GET', undefined), false)
  })

  test('the word of the caller', () => {
    assert.equal(mayRepeat('POST', reset, { idempotent: true }), true)
    assert.equal(mayRepeat('PUT', reset, { idempotent: false }), false)
    assert.equal(mayRepeat('PATCH', reset, { patchIsIdempotent: true }), true)
    assert.equal(mayRepeat('POST', reset, { patchIsIdempotent: true }), false)
    assert.equal(mayRepeat('PATCH', reset, { patchIsIdempotent: true, idempotent: false }), false)
  })

  test('classify fills it in when it knows the request', () => {
    assert.equal(classify(coded('EPIPE'), { method: 'GET' })?.repeatable, true)
    assert.equal(classify(coded('EPIPE'), { method: 'POST' })?.repeatable, false)
    assert.equal(classify(coded('EPIPE'), { idempotent: true })?.repeatable, true)
    assert.equal('repeatable' in (classify(coded('EPIPE')) ?? {}), false)
  })
})

describe('failures that really happened', () => {
  let closed = 0
  /** @type {net.Server} */
  let resetting
  /** @type {http.Server} */
  let cutting
  /** @type {string} */
  let folder
  const port = server => server.address().port
  const listening = server =>
    new Promise(resolve => server.listen(0, '127.0.0.1', () => resolve(server)))
  const thrown = run => {
    try {
      run()
    } catch (error) {
      return error
    }
    throw new Error('it did not fail')
  }

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'seawall-classify-'))
    const gone = await listening(net.createServer())
    closed = port(gone)
    await new Promise(resolve => gone.close(resolve))
    resetting = await listening(
      net.createServer(socket => {
        socket.on('error', () => {})
        socket.once('data', () => socket.resetAndDestroy())
      }),
    )
    cutting = await listening(
      http.createServer((_, response) => {
        response.writeHead(200, { 'content-length': '100' })
        response.write('half', () => response.destroy())
      }),
    )
  })
  after(() => {
    resetting.close()
    cutting.close()
    rmSync(folder, { recursive: true, force: true })
  })

  test('net: a closed port', async () => {
    const error = await new Promise(resolve =>
      net.connect(closed, '127.0.0.1').once('error', resolve),
    )
    assert.deepEqual(classify(error), UNSENT)
    assert.equal(isTransientError(error), true)
  })

  test('net: a host with two addresses, both closed', async () => {
    const lookup = (_host, _options, done) =>
      done(null, [
        { address: '127.0.0.1', family: 4 },
        { address: '::1', family: 6 },
      ])
    const error = await new Promise(resolve =>
      net
        .connect({ port: closed, host: 'here', lookup, autoSelectFamily: true })
        .once('error', resolve),
    )
    assert.ok(error instanceof AggregateError)
    assert.deepEqual(classify(error), UNSENT)
    delete error.code
    assert.equal(classify(error)?.processed, 'no')
  })

  test('net: a port that is taken', async () => {
    const error = await new Promise(resolve =>
      net.createServer().once('error', resolve).listen(port(resetting), '127.0.0.1'),
    )
    assert.equal(error.code, 'EADDRINUSE')
    assert.deepEqual(classify(error), UNSENT)
  })

  test('http: reset under the request', async () => {
    const error = await new Promise(resolve =>
      http.get({ port: port(resetting), host: '127.0.0.1' }).once('error', resolve),
    )
    assert.deepEqual(classify(error, { method: 'POST' }), { ...LOST, repeatable: false })
    assert.equal(isTransientError(error), true)
  })

  test('fetch: a closed port, a reset, half an answer', async () => {
    const refused = await fetch(`http://127.0.0.1:${closed}/`).catch(error => error)
    assert.equal(refused.message, 'fetch failed')
    assert.deepEqual(classify(refused), UNSENT)
    assert.equal(isTransientError(refused), true)
    const reset = await fetch(`http://127.0.0.1:${port(resetting)}/`).catch(error => error)
    assert.deepEqual(classify(reset), LOST)
    const half = await fetch(`http://127.0.0.1:${port(cutting)}/`)
      .then(r => r.text())
      .catch(e => e)
    assert.deepEqual(classify(half), LOST)
    assert.deepEqual(classify(structuredClone(half)), LOST, 'without its cause')
  })

  test('fetch: an abort is no failure of the other side, a timeout is', async () => {
    const url = `http://127.0.0.1:${port(cutting)}/`
    const aborted = await fetch(url, { signal: AbortSignal.abort() }).catch(error => error)
    assert.deepEqual(classify(aborted), verdict(false, 'maybe', 'request'))
    const silent = await listening(net.createServer(() => {}))
    const late = await fetch(`http://127.0.0.1:${port(silent)}/`, {
      signal: AbortSignal.timeout(20),
    }).catch(e => e)
    silent.close()
    assert.deepEqual(classify(late), verdict(true, 'maybe', 'request'))
  })

  test('fetch in Deno', async () => {
    const here = import.meta.dirname
    const { stdout } = await promisify(execFile)(
      join(here, '../node_modules/.bin/deno'),
      [
        'run',
        '--allow-net=127.0.0.1',
        '--allow-env',
        'fixtures/fetch-failures.mjs',
        String(closed),
        String(port(resetting)),
      ],
      { cwd: here },
    )
    const { kind, refused, reset, aborted, connect } = JSON.parse(stdout)
    assert.equal(kind, 'wasm')
    assert.deepEqual(refused, UNSENT)
    assert.deepEqual(reset, LOST)
    assert.deepEqual(aborted, verdict(false, 'maybe', 'request'))
    assert.deepEqual(connect, UNSENT)
  })

  test('node:sqlite: busy, a stale snapshot, a constraint', () => {
    const path = join(folder, 'node.db')
    const open = () => {
      const db = new DatabaseSync(path)
      db.exec('PRAGMA busy_timeout = 0')
      return db
    }
    const [a, b] = [open(), open()]
    a.exec('PRAGMA journal_mode = WAL; CREATE TABLE t (id INTEGER PRIMARY KEY)')
    a.exec('BEGIN IMMEDIATE')
    const busy = thrown(() => b.exec('BEGIN IMMEDIATE'))
    a.exec('INSERT INTO t VALUES (1); COMMIT')
    assert.equal(busy.errcode, 5)
    assert.deepEqual(classify(busy), verdict(true, 'no', 'statement'))
    assert.equal(isTransientError(busy), true)

    b.exec('BEGIN')
    b.prepare('SELECT * FROM t').all()
    a.exec('INSERT INTO t VALUES (2)')
    const stale = thrown(() => b.exec('INSERT INTO t VALUES (3)'))
    b.exec('ROLLBACK')
    assert.equal(stale.errcode & 0xff, 5)
    assert.equal(classify(stale)?.transient, true)
    if (stale.errcode === 517) assert.equal(classify(stale)?.scope, 'transaction')

    const taken = thrown(() => a.exec('INSERT INTO t VALUES (1)'))
    assert.deepEqual(classify(taken), verdict(false, 'no', 'statement'))
    assert.equal(isTransientError(taken), false)
    a.close()
    b.close()
  })

  test('better-sqlite3: busy, a stale snapshot, a constraint', () => {
    const path = join(folder, 'better.db')
    const [a, b] = [new Database(path, { timeout: 0 }), new Database(path, { timeout: 0 })]
    a.pragma('journal_mode = WAL')
    a.exec('CREATE TABLE t (id INTEGER PRIMARY KEY)')
    a.exec('BEGIN IMMEDIATE')
    const busy = thrown(() => b.exec('BEGIN IMMEDIATE'))
    a.exec('INSERT INTO t VALUES (1); COMMIT')
    assert.equal(busy.code, 'SQLITE_BUSY')
    assert.deepEqual(classify(busy), verdict(true, 'no', 'statement'))
    assert.equal(isTransientError(busy), true)

    b.exec('BEGIN')
    b.prepare('SELECT * FROM t').all()
    a.exec('INSERT INTO t VALUES (2)')
    const stale = thrown(() => b.exec('INSERT INTO t VALUES (3)'))
    b.exec('ROLLBACK')
    assert.equal(stale.code, 'SQLITE_BUSY_SNAPSHOT')
    assert.deepEqual(classify(stale), verdict(true, 'no', 'transaction'))
    assert.equal(isTransientError(stale), true)

    const taken = thrown(() => a.exec('INSERT INTO t VALUES (1)'))
    assert.deepEqual(classify(taken), verdict(false, 'no', 'statement'))
    a.close()
    b.close()
  })
})
