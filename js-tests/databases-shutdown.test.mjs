// @ts-check
// Clients of real servers, connected and at work, at the end of the process.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { Redis } from 'ioredis'
import { Kysely, PostgresDialect, sql } from 'kysely'
import mysql from 'mysql2'
import mysqlPromise from 'mysql2/promise'
import pg from 'pg'
import { createClient } from 'redis'
import { closeOnShutdown, Lifecycle } from 'seawall/lifecycle'
import { mariadb, postgres, redis, skipped } from './servers.mjs'

/** Closes `clients` as at a signal; `work` is under way meanwhile, and is to end well. */
async function shutDown(clients, work) {
  const exit = Promise.withResolvers()
  const life = new Lifecycle({ exit: code => exit.resolve(code) })
  const started = life.start({ graceMs: 20_000, drainDelayMs: 0, signals: [], log: () => {} })
  for (const client of clients) closeOnShutdown(client, { lifecycle: started })
  const answer = work()
  await life.shutdown('the test')
  const code = await exit.promise
  life[Symbol.dispose]()
  return { answer: await answer, code }
}

describe('PostgreSQL', { skip: skipped('postgres') }, () => {
  it('a pool, a client and Kysely finish what they do, and close', async t => {
    const server = await postgres()
    t.after(() => server.remove())
    const { host, port, user } = server
    const pool = new pg.Pool({ host, port, user })
    const client = new pg.Client({ host, port, user })
    await client.connect()
    const db = new Kysely({
      dialect: new PostgresDialect({ pool: new pg.Pool({ host, port, user }) }),
    })
    await sql`select 1`.execute(db)
    const { answer, code } = await shutDown([pool, client, db], async () => {
      const { rows } = await pool.query('select pg_sleep(0.3), 7 as seven')
      return rows[0].seven
    })
    assert.deepEqual({ answer, code }, { answer: 7, code: 0 })
    assert.equal(pool.ended, true)
    await assert.rejects(client.query('select 1'))
    await assert.rejects(sql`select 1`.execute(db))
  })
})

describe('MariaDB', { skip: skipped('mariadb') }, () => {
  it('pools and connections of mysql2 close, with callbacks and with promises', async t => {
    const server = await mariadb()
    t.after(() => server.remove())
    const { host, port, user } = server
    const pool = mysql.createPool({ host, port, user })
    const promised = mysqlPromise.createPool({ host, port, user })
    const connection = await mysqlPromise.createConnection({ host, port, user })
    await pool.promise().query('select 1')
    await promised.query('select 1')
    const { answer, code } = await shutDown([pool, promised, connection], async () => {
      const [rows] = /** @type {any} */ (await connection.query('select sleep(0.3), 7 as seven'))
      return rows[0].seven
    })
    assert.deepEqual({ answer, code }, { answer: 7, code: 0 })
    await assert.rejects(pool.promise().query('select 1'), /closed/)
    await assert.rejects(promised.query('select 1'), /closed/)
    await assert.rejects(connection.query('select 1'), /closed/)
  })
})

describe('Redis', { skip: skipped('redis') }, () => {
  it('ioredis and redis get the answers that are out, and close', async t => {
    const server = await redis()
    t.after(() => server.remove())
    const { host, port } = server
    const one = new Redis({ host, port })
    const other = await createClient({ socket: { host, port } }).connect()
    await one.set('a', 1)
    // Answers that are out for a while, so that an end without waiting would cut them off.
    const { answer, code } = await shutDown([one, other], () =>
      Promise.all([one.blpop('nothing', 0.3), other.blPop('nothing', 0.3)]),
    )
    assert.deepEqual({ answer, code }, { answer: [null, null], code: 0 })
    if (one.status !== 'end') await once(one, 'end')
    assert.equal(other.isOpen, false)
  })
})
