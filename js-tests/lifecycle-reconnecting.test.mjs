// A client whose connection is made again: its states in virtual time.
import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import { list, OptionError, SeawallError } from 'seawall'
import { reconnecting } from 'seawall/lifecycle'
import { settled, TimerClock } from './timer-clock.mjs'

/** A client with private fields, like those of drivers, that does what it is told. */
class Fake extends EventEmitter {
  #secret
  constructor(fate, number) {
    super()
    this.fate = fate
    this.#secret = number
    this.ends = 0
  }
  async connect() {
    if (this.fate === 'never') return new Promise(() => {})
    if (this.fate) throw this.fate
  }
  async end() {
    this.ends++
    this.emit('end')
  }
  async query(text) {
    return `${this.#secret}: ${text}`
  }
  escape(text) {
    return `"${text}" of ${this.#secret}`
  }
  get size() {
    return this.#secret * 10
  }
  /** The server is gone, as pg tells it. */
  break() {
    this.emit('error', new Error('terminated'))
    this.emit('error', new Error('unexpected'))
    this.emit('end')
  }
}

function start(fates = [], options = {}) {
  const clock = new TimerClock(1000)
  const clients = []
  const create = () => {
    const client = new Fake(fates[clients.length], clients.length + 1)
    clients.push(client)
    return client
  }
  const backoff = list({ delaysMs: [100, 250, 500], repeatLast: true })
  const db = reconnecting(create, { clock, backoff, ...options })
  const seen = []
  for (const event of ['reconnect', 'connect', 'disconnect', 'error'])
    db.on(event, detail => seen.push(detail instanceof Error ? `error ${detail.message}` : event))
  return { db, clock, clients, seen }
}
const refused = error =>
  error instanceof SeawallError &&
  error.code === 'SEAWALL_DISCONNECTED' &&
  error.message === 'disconnected'

test('nothing happens before it is asked for, and queries fail fast', async () => {
  const { db, clients, clock } = start()
  assert.equal(db.state, 'idle')
  assert.equal(db.connected, false)
  await assert.rejects(db.query('x'), refused)
  assert.throws(() => db.check(), { message: 'no db connection', code: 'SEAWALL_DISCONNECTED' })
  assert.equal(clients.length, 0)
  assert.equal(clock.timers, 0)
  assert.equal(await Promise.resolve(db), db, 'it is no promise itself')
})

test('connected: every member of the client, private fields included', async () => {
  const { db, seen, clients, clock } = start()
  const connecting = db.connect()
  assert.equal(db.state, 'connecting')
  await assert.rejects(db.query('x'), refused)
  await connecting
  assert.equal(db.state, 'connected')
  assert.equal(await db.query('x'), '1: x')
  assert.equal(db.size, 10)
  assert.equal(db.query, db.query)
  assert.ok('query' in db && 'connected' in db && !('nothing' in db))
  db.mark = 7
  assert.equal(clients[0].mark, 7)
  assert.equal(db.check(), true)
  await db.connect()
  assert.deepEqual(seen, ['reconnect', 'connect'])
  assert.equal(clock.timers, 0, 'no timer while it works')
})

test('the order of events when it is lost and found', async () => {
  const { db, seen, clock, clients } = start([undefined, new Error('refused')])
  await db.connect()
  await clock.pass(10_000)
  seen.length = 0
  clients[0].break()
  assert.deepEqual(seen, ['error terminated', 'error unexpected', 'disconnect'])
  assert.equal(db.state, 'waiting')
  await assert.rejects(db.query('x'), error => refused(error) && error.retryAfterMs === 100)
  await clock.pass(60)
  await assert.rejects(db.query('x'), { retryAfterMs: 40 })
  await clock.pass(40)
  assert.deepEqual(seen.slice(3), ['reconnect', 'error refused'])
  assert.equal(db.state, 'waiting')
  await clock.pass(249)
  assert.equal(clients.length, 2)
  await clock.pass(1)
  assert.deepEqual(seen.slice(5), ['reconnect', 'connect'])
  assert.equal(await db.query('x'), '3: x')
})

test('a client that was replaced means nothing any more', async () => {
  const { db, clock, clients, seen } = start()
  await db.connect()
  clients[0].break()
  await clock.pass(100)
  assert.equal(db.connected, true)
  seen.length = 0
  clients[0].emit('end')
  clients[0].emit('error', new Error('late'))
  assert.equal(db.connected, true)
  assert.deepEqual(seen, ['error late'])
})

test('connections that break at once wait longer and longer; a stable one begins anew', async () => {
  const { db, clock, clients } = start([], { stableMs: 1000 })
  await db.connect()
  for (const wait of [100, 250, 500, 500]) {
    clients.at(-1).break()
    const before = clients.length
    await clock.pass(wait - 1)
    assert.equal(clients.length, before, `before ${wait} ms`)
    await clock.pass(1)
    assert.equal(clients.length, before + 1, `after ${wait} ms`)
  }
  await clock.pass(1000)
  clients.at(-1).break()
  const before = clients.length
  await clock.pass(100)
  assert.equal(clients.length, before + 1)
})

test('an attempt that hangs is given up', async () => {
  const { db, clock, clients, seen } = start(['never'], { connectTimeoutMs: 2000 })
  const connecting = db.connect()
  await clock.pass(2000)
  assert.equal(clients[0].ends, 1)
  assert.deepEqual(seen, ['reconnect', 'error not connected in 2000 ms'])
  await clock.pass(100)
  await connecting
  assert.equal(db.connected, true)
})

test('disconnected: no timer, no attempt, whatever comes', async () => {
  const { db, clock, clients, seen } = start([new Error('down')])
  const connecting = db.connect()
  await settled()
  assert.equal(clock.timers, 1)
  await Promise.all([db.disconnect(), assert.rejects(connecting, refused)])
  assert.equal(clock.timers, 0)
  assert.equal(db.state, 'killed')
  await clock.pass(100_000)
  assert.equal(clients.length, 1)
  await assert.rejects(db.connect(), refused)
  await assert.rejects(db.query('x'), refused)
  assert.deepEqual(seen, ['reconnect', 'error down'])
  await db.disconnect()
})

test('disconnect before connect, while connecting, and while connected', async () => {
  await start().db.disconnect()
  {
    const { db, clients } = start(['never'])
    const connecting = db.connect()
    await Promise.all([db.disconnect(), assert.rejects(connecting, refused)])
    assert.equal(clients[0].ends, 1)
  }
  const { db, clients, seen } = start()
  await db.connect()
  await db.end()
  assert.equal(clients[0].ends, 1)
  assert.deepEqual(seen, ['reconnect', 'connect', 'disconnect'])
})

test('disposes of itself', async () => {
  const { db, clients } = start()
  await db.connect()
  await db[Symbol.asyncDispose]()
  assert.equal(db.state, 'killed')
  assert.equal(clients[0].ends, 1)
})

test('no listener for errors, none that throws, harms anybody', async t => {
  const warned = t.mock.method(process, 'emitWarning', () => {})
  const clock = new TimerClock()
  const clients = []
  const db = reconnecting(() => clients[clients.push(new Fake(undefined, clients.length)) - 1], {
    clock,
  })
  await db.connect()
  clients[0].break()
  await clock.pass(200)
  assert.equal(db.connected, true)
  db.on('disconnect', () => {
    throw new Error('mine')
  })
  clients[1].break()
  await clock.pass(1000)
  assert.equal(db.connected, true)
  assert.equal(warned.mock.callCount(), 1)
})

test('the events of the client itself are heard on each new one', async () => {
  const { db, clock, clients } = start()
  const heard = []
  const off = db.on('notification', text => heard.push(text))
  await db.connect()
  clients[0].emit('notification', 'a')
  clients[0].break()
  await clock.pass(100)
  clients[1].emit('notification', 'b')
  off()
  clients[1].emit('notification', 'c')
  assert.deepEqual(heard, ['a', 'b'])
})

test('callbacks get the error, offline methods are called, a create that throws is an attempt', async () => {
  let broken = true
  const clock = new TimerClock()
  const db = reconnecting(
    () => {
      if (broken) throw new Error('no config')
      return new Fake(undefined, 5)
    },
    { clock, offline: ['escape'], seed: 1 },
  )
  const errors = []
  db.on('error', error => errors.push(error.message))
  const connecting = db.connect()
  assert.deepEqual(errors, ['no config'])
  const { promise, resolve } = Promise.withResolvers()
  assert.equal(db.query('x', resolve), undefined)
  assert.ok(refused(await promise))
  broken = false
  await clock.pass(200)
  await connecting
  const client = db.client
  client.break()
  assert.equal(db.escape('t'), '"t" of 5')
  await assert.rejects(db.query('x'), refused)
  db[Symbol.dispose]()
})

test('prepared before it counts as connected; readiness is told', async () => {
  const ready = []
  const prepared = []
  const { db, clients, clock } = start([], {
    prepare: async client => {
      prepared.push(await client.query('LISTEN'))
    },
    onReady: value => ready.push(value),
  })
  await db.connect()
  clients[0].break()
  await clock.pass(100)
  assert.deepEqual(prepared, ['1: LISTEN', '2: LISTEN'])
  assert.deepEqual(ready, [true, false, true])
})

test('waits that end give up', async () => {
  const { db, clock } = start(Array(9).fill(new Error('down')), {
    backoff: list({ delaysMs: [10, 20] }),
  })
  const connecting = db.connect()
  await Promise.all([
    assert.rejects(connecting, error => refused(error) && error.cause.message === 'down'),
    clock.pass(100),
  ])
  assert.equal(db.state, 'killed')
})

test('options are checked', () => {
  assert.throws(() => reconnecting(() => new Fake(), { stableMS: 1 }), OptionError)
  assert.throws(() => reconnecting(() => new Fake(), { stableMs: -1 }), OptionError)
  assert.throws(() => reconnecting(undefined), OptionError)
})
