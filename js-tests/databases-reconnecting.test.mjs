// pg's client under the reconnecting wrapper, while its server is killed and comes back.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { constant } from 'seawall'
import { reconnecting } from 'seawall/lifecycle'
import { postgres, skipped } from './servers.mjs'

describe('PostgreSQL, killed and restarted', { skip: skipped('postgres') }, () => {
  /** @type {import('./servers.mjs').Server} */
  let server
  before(async () => {
    server = await postgres()
  })
  after(() => server?.remove())

  const until = async (holds, what) => {
    for (let i = 0; i < 1000 && !holds(); i++) await sleep(10)
    assert.ok(holds(), what)
  }

  for (const how of ['kill', 'stop']) {
    test(`comes back after the server's ${how}`, async t => {
      const { host, port, user } = server
      const notes = []
      const db = reconnecting(() => new pg.Client({ host, port, user }), {
        backoff: constant({ delayMs: 50 }),
        stableMs: 0,
        prepare: client => client.query('LISTEN news'),
      })
      t.after(() => db.disconnect())
      const seen = []
      for (const event of ['reconnect', 'connect', 'disconnect', 'error'])
        db.on(event, () => seen.push(event))
      db.on('notification', ({ payload }) => notes.push(payload))
      await db.connect()
      const one = async () => (await db.query('SELECT 1 AS n')).rows[0].n
      assert.equal(await one(), 1)

      const underWay = db.query('SELECT pg_sleep(20)')
      await Promise.all([assert.rejects(underWay), server[how]()])
      await until(() => !db.connected, 'the loss is noticed')
      const started = performance.now()
      await assert.rejects(one(), { code: 'SEAWALL_DISCONNECTED', message: 'disconnected' })
      assert.ok(performance.now() - started < 20, 'fails fast')
      assert.throws(() => db.check(), { message: 'no db connection' })
      await until(() => seen.filter(event => event === 'reconnect').length >= 3, 'attempts')
      assert.ok(seen.includes('disconnect'))
      assert.equal(seen.filter(event => event === 'disconnect').length, 1)

      await server.start()
      await until(() => db.connected, 'it is back')
      assert.equal(await one(), 1)
      await db.query("NOTIFY news, 'again'")
      await until(() => notes.includes('again'), 'it listens again')
      assert.equal(seen.filter(event => event === 'connect').length, 2)
    })
  }
})
