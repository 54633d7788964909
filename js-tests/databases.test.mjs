// @ts-check
// What the drivers of real databases throw when real servers fail, judged in full.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { PGlite } from '@electric-sql/pglite'
import mysql from 'mysql2/promise'
import pg from 'pg'
import { classify, isTransientError } from 'seawall'
import { mariadb, postgres, skipped } from './servers.mjs'

const verdict = (transient, processed, scope, throttled = false) => ({
  transient,
  processed,
  scope,
  throttled,
})
const UNSENT = verdict(true, 'no', 'connection')
const LOST = verdict(true, 'maybe', 'connection')
const CROWDED = verdict(true, 'no', 'connection', true)
const ROLLED_BACK = verdict(true, 'no', 'transaction')

/** What a promise was rejected with; a test that does not fail fails. */
async function failure(promise) {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new assert.AssertionError({ message: 'it did not fail' })
}

/** Checks everything that is said about a driver's error. */
function check(error, code, wanted, listed) {
  assert.equal(error.code, code, `${error.message}`)
  assert.deepEqual(classify(error), wanted)
  assert.equal(isTransientError(error), listed)
  const wrapped = new Error('the service failed', { cause: error })
  assert.deepEqual(classify(wrapped), wanted, 'behind a cause')
  assert.equal(isTransientError(wrapped), listed, 'behind a cause')
}

describe('PostgreSQL', { skip: skipped('postgres') }, () => {
  /** @type {import('./servers.mjs').Server} */
  let server
  const open = async () => {
    const client = new pg.Client({ host: server.host, port: server.port, user: server.user })
    // A client whose server dies says so a second time; without a listener that ends the process.
    client.on('error', () => {})
    await client.connect()
    return client
  }
  /** Runs with two clients of their own and a table with two rows. */
  const pair = async run => {
    const [a, b] = [await open(), await open()]
    try {
      await a.query('DROP TABLE IF EXISTS t')
      await a.query('CREATE TABLE t (id int PRIMARY KEY, n int)')
      await a.query('INSERT INTO t VALUES (1, 0), (2, 0)')
      await run(a, b)
    } finally {
      await Promise.allSettled([a.end(), b.end()])
    }
  }

  before(async () => {
    server = await postgres({
      max_connections: 6,
      superuser_reserved_connections: 1,
      deadlock_timeout: '50ms',
    })
  })
  after(() => server?.remove())

  test('deadlock', () =>
    pair(async (a, b) => {
      await a.query('BEGIN')
      await b.query('BEGIN')
      await a.query('UPDATE t SET n = 1 WHERE id = 1')
      await b.query('UPDATE t SET n = 1 WHERE id = 2')
      const both = await Promise.allSettled([
        a.query('UPDATE t SET n = 2 WHERE id = 2'),
        b.query('UPDATE t SET n = 2 WHERE id = 1'),
      ])
      const lost = both.filter(one => one.status === 'rejected')
      assert.equal(lost.length, 1)
      check(lost[0].reason, '40P01', ROLLED_BACK, true)
    }))

  test('serialization failure', () =>
    pair(async (a, b) => {
      for (const client of [a, b]) {
        await client.query('BEGIN ISOLATION LEVEL SERIALIZABLE')
        await client.query('SELECT sum(n) FROM t')
      }
      await a.query('UPDATE t SET n = n + 1 WHERE id = 1')
      await a.query('COMMIT')
      check(
        await failure(b.query('UPDATE t SET n = n + 1 WHERE id = 1')),
        '40001',
        ROLLED_BACK,
        true,
      )
    }))

  test('lock timeout, and a lock that is not waited for', () =>
    pair(async (a, b) => {
      await a.query('BEGIN')
      await a.query('SELECT * FROM t WHERE id = 1 FOR UPDATE')
      await b.query("SET lock_timeout = '20ms'")
      check(await failure(b.query('UPDATE t SET n = 9 WHERE id = 1')), '55P03', ROLLED_BACK, false)
      const nowait = b.query('SELECT * FROM t WHERE id = 1 FOR UPDATE NOWAIT')
      check(await failure(nowait), '55P03', ROLLED_BACK, false)
    }))

  test('statement timeout', () =>
    pair(async a => {
      await a.query("SET statement_timeout = '20ms'")
      check(
        await failure(a.query('SELECT pg_sleep(5)')),
        '57014',
        verdict(false, 'no', 'transaction'),
        false,
      )
    }))

  test('a row that is there already', () =>
    pair(async a => {
      const twice = a.query('INSERT INTO t VALUES (1, 1)')
      check(await failure(twice), '23505', verdict(false, 'no', 'transaction'), false)
    }))

  test('a standby, or a session made read-only', () =>
    pair(async a => {
      await a.query('SET default_transaction_read_only = on')
      check(await failure(a.query('DELETE FROM t')), '25006', UNSENT, false)
    }))

  test('a backend that is terminated', () =>
    pair(async (a, b) => {
      const sleeping = failure(b.query('SELECT pg_sleep(30)'))
      const pid = /** @type {any} */ (b).processID
      await a.query('SELECT pg_terminate_backend($1)', [pid])
      check(await sleeping, '57P01', LOST, true)
      await sleep(20)
      const next = await failure(b.query('SELECT 1'))
      check(next, undefined, UNSENT, false)
    }))

  test('idle within a transaction for too long', () =>
    pair(async a => {
      const ended = new Promise(resolve => a.once('error', resolve))
      await a.query("SET idle_in_transaction_session_timeout = '20ms'")
      await a.query('BEGIN')
      check(await ended, '25P03', UNSENT, false)
    }))

  test('too many connections, and a pool without a free client', async () => {
    const clients = []
    // The user is a superuser, who also gets the reserved place.
    while (clients.length < 6) clients.push(await open())
    check(await failure(open()), '53300', CROWDED, false)
    await Promise.all(clients.map(client => client.end()))

    const { host, port, user } = server
    const pool = new pg.Pool({ host, port, user, max: 1, connectionTimeoutMillis: 50 })
    const client = await pool.connect()
    check(await failure(pool.query('SELECT 1')), undefined, CROWDED, false)
    client.release()
    await pool.end()
    check(
      await failure(pool.query('SELECT 1')),
      undefined,
      verdict(false, 'no', 'connection'),
      false,
    )
  })

  test('an orderly shutdown, a closed port, and a start', async () => {
    const client = await open()
    const sleeping = failure(client.query('SELECT pg_sleep(30)'))
    await sleep(50)
    await server.stop()
    check(await sleeping, '57P01', LOST, true)
    check(await failure(open()), 'ECONNREFUSED', UNSENT, true)
    await server.start()
    const again = await open()
    assert.equal((await again.query('SELECT 1 AS one')).rows[0].one, 1)
    await again.end()
  })

  test('a postmaster that is killed, and recovery', async () => {
    const client = await open()
    const sleeping = failure(client.query('SELECT pg_sleep(30)'))
    await sleep(50)
    await server.kill()
    const lost = await sleeping
    assert.deepEqual(classify(lost), LOST, `${lost.code} ${lost.message}`)
    check(await failure(open()), 'ECONNREFUSED', UNSENT, true)
    await server.start()
    await (await open()).end()
  })
})

describe('MariaDB', { skip: skipped('mariadb') }, () => {
  /** @type {import('./servers.mjs').Server} */
  let server
  const open = () =>
    mysql.createConnection({
      host: server.host,
      port: server.port,
      user: server.user,
      database: 'test',
    })
  const pair = async run => {
    const [a, b] = [await open(), await open()]
    for (const client of [a, b]) client.on('error', () => {})
    try {
      await a.query('CREATE OR REPLACE TABLE t (id int PRIMARY KEY, n int) ENGINE=InnoDB')
      await a.query('INSERT INTO t VALUES (1, 0), (2, 0)')
      await run(a, b)
    } finally {
      a.destroy()
      b.destroy()
    }
  }

  before(async () => {
    server = await mariadb({ 'max-connections': 10, 'innodb-lock-wait-timeout': 1 })
    const root = await mysql.createConnection({
      host: server.host,
      port: server.port,
      user: 'root',
    })
    await root.query('CREATE DATABASE IF NOT EXISTS test')
    await root.query('CREATE USER few@127.0.0.1 WITH MAX_USER_CONNECTIONS 1')
    await root.query('GRANT ALL ON test.* TO few@127.0.0.1')
    await root.end()
  })
  after(() => server?.remove())

  test('deadlock', () =>
    pair(async (a, b) => {
      await a.query('BEGIN')
      await b.query('BEGIN')
      await a.query('UPDATE t SET n = 1 WHERE id = 1')
      await b.query('UPDATE t SET n = 1 WHERE id = 2')
      const both = await Promise.allSettled([
        a.query('UPDATE t SET n = 2 WHERE id = 2'),
        b.query('UPDATE t SET n = 2 WHERE id = 1'),
      ])
      const lost = both.filter(one => one.status === 'rejected')
      assert.equal(lost.length, 1)
      assert.equal(lost[0].reason.errno, 1213)
      check(lost[0].reason, 'ER_LOCK_DEADLOCK', ROLLED_BACK, true)
    }))

  test('lock wait timeout: the transaction lives', () =>
    pair(async (a, b) => {
      await a.query('BEGIN')
      await a.query('UPDATE t SET n = 1 WHERE id = 1')
      await b.query('BEGIN')
      await b.query('UPDATE t SET n = 7 WHERE id = 2')
      const late = await failure(b.query('UPDATE t SET n = 2 WHERE id = 1'))
      check(late, 'ER_LOCK_WAIT_TIMEOUT', verdict(true, 'no', 'statement'), true)
      await b.query('COMMIT')
      const [rows] = await b.query('SELECT n FROM t WHERE id = 2')
      assert.equal(/** @type {any} */ (rows)[0].n, 7)
    }))

  test('a row that is there already', () =>
    pair(async a => {
      const twice = await failure(a.query('INSERT INTO t VALUES (1, 1)'))
      check(twice, 'ER_DUP_ENTRY', verdict(false, 'no', 'statement'), false)
    }))

  test('a statement that took too long', () =>
    pair(async a => {
      const slow = await failure(
        a.query('SET STATEMENT max_statement_time = 0.02 FOR SELECT * FROM t WHERE sleep(2) = 0'),
      )
      assert.equal(slow.errno, 1969)
      assert.deepEqual(classify(slow), verdict(false, 'no', 'statement'))
    }))

  test('a server that is read-only', () =>
    pair(async a => {
      const { host, port } = server
      const few = await mysql.createConnection({ host, port, user: 'few', database: 'test' })
      await a.query('SET GLOBAL read_only = 1')
      const refused = await failure(few.query('INSERT INTO t VALUES (3, 0)'))
      await a.query('SET GLOBAL read_only = 0')
      await few.end()
      check(refused, 'ER_OPTION_PREVENTS_STATEMENT', UNSENT, false)
    }))

  test('too many connections, of all and of one user', async () => {
    const { host, port } = server
    const few = () => mysql.createConnection({ host, port, user: 'few', database: 'test' })
    let first
    for (let tries = 0; !first; tries++) {
      // The server may not have let go yet of a connection that was ended before.
      first = await few().catch(error => {
        if (error.errno !== 1226 || tries === 100) throw error
        return sleep(20)
      })
    }
    const second = await failure(few())
    assert.equal(second.errno, 1226)
    assert.deepEqual(classify(second), CROWDED)
    first.destroy()

    const clients = []
    let refused
    // One more than max_connections is kept for those who may look after the server.
    for (let i = 0; i < 14 && !refused; i++) {
      const one = await open().catch(error => {
        refused = error
      })
      if (one) clients.push(one)
    }
    for (const client of clients) client.destroy()
    check(refused, 'ER_CON_COUNT_ERROR', CROWDED, true)
    await sleep(100)
  })

  test('a connection that is killed', () =>
    pair(async (a, b) => {
      const sleeping = failure(b.query('SELECT sleep(30)'))
      await a.query(`KILL CONNECTION ${b.threadId}`)
      const lost = await sleeping
      assert.deepEqual(classify(lost), LOST, `${lost.code} ${lost.message}`)
      await sleep(50)
      const next = await failure(b.query('SELECT 1'))
      assert.deepEqual(classify(next), UNSENT, `${next.code} ${next.message}`)
    }))

  test('a pool that is closed', async () => {
    const { host, port, user } = server
    const pool = mysql.createPool({ host, port, user, database: 'test' })
    await pool.query('SELECT 1')
    await pool.end()
    assert.deepEqual(
      classify(await failure(pool.query('SELECT 1'))),
      verdict(false, 'no', 'connection'),
    )
  })

  test('a server that is killed, a closed port, and recovery', async () => {
    const client = await open()
    client.on('error', () => {})
    const sleeping = failure(client.query('SELECT sleep(30)'))
    await sleep(50)
    await server.kill()
    const lost = await sleeping
    check(lost, 'PROTOCOL_CONNECTION_LOST', LOST, true)
    check(await failure(open()), 'ECONNREFUSED', UNSENT, true)
    await server.start()
    const again = await open()
    const [rows] = await again.query('SELECT 1 AS one')
    assert.equal(/** @type {any} */ (rows)[0].one, 1)
    await again.end()
  })
})

describe('PGlite', () => {
  /** @type {PGlite} */
  let db
  before(async () => {
    db = await PGlite.create()
    await db.exec('CREATE TABLE t (id int PRIMARY KEY)')
    await db.exec('INSERT INTO t VALUES (1)')
  })
  after(() => db.close())

  test('a row that is there already', async () => {
    const twice = await failure(db.query('INSERT INTO t VALUES (1)'))
    check(twice, '23505', verdict(false, 'no', 'transaction'), false)
  })

  test('codes raised in the database', async () => {
    for (const [code, wanted, listed] of [
      ['40001', ROLLED_BACK, true],
      ['40P01', ROLLED_BACK, true],
      ['55P03', ROLLED_BACK, false],
      ['53300', CROWDED, false],
      ['08006', LOST, true],
    ]) {
      const raised = db.exec(`DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '${code}'; END $$`)
      check(await failure(raised), code, wanted, listed)
    }
  })
})
