/** A client whose connection is made again whenever it is lost. */
import { Backoff, type BackoffOptions, connectionSchedule } from '../backoff.js'
import { type Clock, systemClock } from '../clock.js'
import { processEngine } from '../engine/process/index.js'
import type { ProcessEngine } from '../engine/process/types.js'
import { optionProblem, SeawallError } from '../errors.js'
import { call, Listeners, report } from '../events.js'
import { check, type Kind } from '../options.js'
import { startTimer } from '../timer.js'

/** What a client has to have: `pg`'s `Client` does. */
export interface ConnectingClient {
  connect(): unknown
  end(): unknown
  // biome-ignore lint/suspicious/noExplicitAny: emitters of every typing fit
  on(event: string, listener: (...args: any[]) => void): unknown
}

/** What a connection is: not asked for, being made, made, waiting to be tried again, given up. */
export type ConnectionState = 'idle' | 'connecting' | 'connected' | 'waiting' | 'killed'

const STATES: readonly ConnectionState[] = ['idle', 'connecting', 'connected', 'waiting', 'killed']
const IDLE = 0
const CONNECTED = 2
const WAITING = 3
const KILLED = 4
const BEGIN = 0
const MADE = 1
const LOST = 2
const KILL = 3

/** What happens to a connection. Any other event is the client's own. */
export interface ConnectionEvents {
  /** An attempt begins, the first included; with its number since the last success. */
  reconnect: { attempt: number }
  /** It is connected. */
  connect: { attempt: number }
  /** It was connected, and is no more. */
  disconnect: undefined
  /** What an attempt failed with, or the client said. Without a listener nothing happens. */
  error: unknown
}

/** How a connection is made again. */
export interface ReconnectingOptions<C> {
  /** For messages and events. */
  name?: string | undefined
  /**
   * The waits between attempts. Default 100, 250, 500, 1000, 2500 and then 5000 ms for ever, a
   * tenth more or less.
   */
  backoff?: Backoff | BackoffOptions | undefined
  /**
   * A connection that breaks sooner than this, in ms, counts as a failed attempt more instead of
   * beginning the waits anew. Default 5000.
   */
  stableMs?: number | undefined
  /** An attempt that takes longer, in ms, has failed. Default 10,000. */
  connectTimeoutMs?: number | undefined
  /** Called with each new client before it counts as connected: to `LISTEN`, to set a search path. */
  prepare?: ((client: C) => unknown) | undefined
  /**
   * Methods that need no connection and are called even without one, such as pg's
   * `escapeIdentifier`. Any other answers with a rejection while there is none.
   */
  offline?: readonly string[] | undefined
  /** Called with whether there is a connection, whenever that changes: for a readiness flag. */
  onReady?: ((ready: boolean) => void) | undefined
  /** Draws the jitter of the default waits. */
  seed?: number | undefined
  /** Where time and timers come from. Default the runtime's. */
  clock?: Clock | undefined
}

const FIELDS: Record<string, Kind> = {
  name: 'string',
  backoff: 'object',
  stableMs: 'number',
  connectTimeoutMs: 'number',
  prepare: 'function',
  offline: 'object',
  onReady: 'function',
  seed: 'number',
  clock: 'object',
}

/** What {@link reconnecting} adds to a client, in place of what the client has by these names. */
export interface Connection<C> extends Disposable, AsyncDisposable {
  /** Whether there is a connection. */
  readonly connected: boolean
  readonly state: ConnectionState
  /** The present client, or the last one; `undefined` before the first attempt. */
  readonly client: C | undefined
  /**
   * Begins, and resolves when there is a connection, however many attempts that takes.
   *
   * @throws (as a rejection) SeawallError `SEAWALL_DISCONNECTED` once it was given up: by
   * `disconnect()`, or by waits that end
   */
  connect(): Promise<void>
  /** Gives up for good: no further attempts. Resolves when the client has ended. */
  disconnect(): Promise<void>
  /** The same as `disconnect()`, by the name that clients and shutdown hooks have for it. */
  end(): Promise<void>
  /**
   * Adds a listener; the function returned takes it away again. Events other than those of
   * {@link ConnectionEvents} are the client's, and are listened to on each new client.
   */
  on<E extends keyof ConnectionEvents>(
    event: E,
    listener: (detail: ConnectionEvents[E]) => void,
  ): () => void
  // biome-ignore lint/suspicious/noExplicitAny: whatever the client sends
  on(event: string, listener: (...args: any[]) => void): () => void
  /**
   * For a readiness check: `checks.add('db', () => db.check())` of `seawall/health`. Answers true.
   *
   * @throws SeawallError `SEAWALL_DISCONNECTED` with the message `no db connection`
   */
  check(): true
}

/** A client whose connection is made again: its own members, and those of {@link Connection}. */
export type Reconnecting<C> = Connection<C> & Omit<C, keyof Connection<C>>

/**
 * Keeps a connection: makes a client, connects it, and makes another whenever that one fails or
 * ends. Every member of the client is there, bound to the present one. While there is no
 * connection, its methods answer at once with a rejection: SeawallError `SEAWALL_DISCONNECTED`,
 * message `disconnected`, with `retryAfterMs` where the next attempt is known. A method whose last
 * argument is a function gets the error there instead.
 *
 * Nothing happens before `connect()`.
 *
 * @param create - a new client, not connected yet; called for each attempt
 * @throws OptionError for an option that is unknown, of a wrong type or out of range
 *
 * @example
 * ```ts
 * import pg from 'pg'
 * import { reconnecting } from 'seawall/lifecycle'
 *
 * export async function main(): Promise<void> {
 *   await using db = reconnecting(() => new pg.Client('postgres://localhost/shop'))
 *   db.on('error', error => console.error(error))
 *   await db.connect()
 *   const { rows } = await db.query('SELECT now()')
 *   console.log(rows)
 * }
 * ```
 */
export function reconnecting<C extends ConnectingClient>(
  create: () => C,
  options: ReconnectingOptions<C> = {},
): Reconnecting<C> {
  check('reconnecting', options, FIELDS)
  check('reconnecting', { create: create ?? null }, { create: 'function' })
  const keeper = new Keeper(create, options)
  // The target has no members: nothing of it may stand in the way of the client's.
  return new Proxy(Object.create(null), {
    get: (_, key) => keeper.member(key),
    has: (_, key) => keeper.has(key),
    set: (_, key, value) => keeper.assign(key, value),
  }) as Reconnecting<C>
}

/** Members that would make the wrapper look like something it is not. */
const UNKNOWN = new Set([
  'then',
  'catch',
  'finally',
  'toJSON',
  'constructor',
  'nodeType',
  'asymmetricMatch',
])

class Keeper<C extends ConnectingClient> {
  readonly #create: () => C
  readonly #options: ReconnectingOptions<C>
  readonly #engine: ProcessEngine
  readonly #handle: number
  readonly #backoff: Backoff
  readonly #ownBackoff: boolean
  readonly #clock: Clock
  readonly #events: Listeners<ConnectionEvents>
  // biome-ignore lint/suspicious/noExplicitAny: whatever the client sends
  readonly #forwarded: { event: string; listener: (...args: any[]) => void }[] = []
  readonly #members: Connection<C>
  readonly #bound: Map<PropertyKey, { of: unknown; bound: unknown }> = new Map()
  #state = IDLE
  #freed = false
  #client: C | undefined
  #cancel: (() => void) | undefined
  #due: number | undefined
  #waitedMs = 0
  #attempt = 0
  #lastError: unknown
  #first: PromiseWithResolvers<void> | undefined
  #ended: Promise<void> | undefined

  constructor(create: () => C, options: ReconnectingOptions<C>) {
    const { backoff, clock = systemClock, name = 'reconnecting' } = options
    const core = processEngine()
    this.#create = create
    this.#options = options
    this.#engine = core
    this.#clock = clock
    this.#events = new Listeners(name)
    this.#ownBackoff = !(backoff instanceof Backoff)
    this.#backoff = scheduleOf(backoff, options.seed)
    this.#handle = core.reconnectNew(options.stableMs)
    if (this.#handle < 0) throw optionProblem('reconnecting', options, core)
    const keeper = this
    this.#members = {
      get connected() {
        return keeper.#state === CONNECTED
      },
      get state() {
        return STATES[keeper.#state] as ConnectionState
      },
      get client() {
        return keeper.#client
      },
      connect: () => this.#connect(),
      disconnect: () => this.#disconnect(),
      end: () => this.#disconnect(),
      // biome-ignore lint/suspicious/noExplicitAny: whatever the client sends
      on: (event: string, listener: (...args: any[]) => void) => this.#on(event, listener),
      check: () => {
        if (this.#state !== CONNECTED) throw this.#refusal('no db connection')
        return true
      },
      [Symbol.dispose]: () => void this.#disconnect(),
      [Symbol.asyncDispose]: () => this.#disconnect(),
    }
  }

  has(key: PropertyKey): boolean {
    return key in this.#members || (this.#client !== undefined && key in this.#client)
  }

  member(key: PropertyKey): unknown {
    if (key in this.#members) return this.#members[key as keyof Connection<C>]
    const client = this.#client as Record<PropertyKey, unknown> | undefined
    // Read on the client itself: what has private fields knows no proxy.
    const value = client?.[key]
    if (typeof value !== 'function') {
      if (client || typeof key === 'symbol' || UNKNOWN.has(key as string)) return value
      // No client yet: whatever it is asked for is taken for a method.
      return (...args: unknown[]) => this.#reject(args)
    }
    const known = this.#bound.get(key)
    if (known?.of === value) return known.bound
    const bound = this.#options.offline?.includes(key as string)
      ? (...args: unknown[]) => this.#call(key, args)
      : (...args: unknown[]) => this.#invoke(key, args)
    this.#bound.set(key, { of: value, bound })
    return bound
  }

  assign(key: PropertyKey, value: unknown): boolean {
    if (!this.#client || key in this.#members) return false
    return Reflect.set(this.#client, key, value)
  }

  #invoke(key: PropertyKey, args: unknown[]): unknown {
    return this.#state === CONNECTED ? this.#call(key, args) : this.#reject(args)
  }

  #call(key: PropertyKey, args: unknown[]): unknown {
    const client = this.#client as Record<PropertyKey, (...args: unknown[]) => unknown> | undefined
    return client?.[key]?.(...args)
  }

  #reject(args: unknown[]): Promise<never> | undefined {
    const error = this.#refusal('disconnected')
    const callback = args.at(-1)
    if (typeof callback !== 'function') return Promise.reject(error)
    queueMicrotask(() => callback(error))
    return undefined
  }

  #refusal(message: string): SeawallError {
    const error = new SeawallError('SEAWALL_DISCONNECTED', message, { cause: this.#lastError })
    const more: { policy?: string; retryAfterMs?: number } = error
    if (this.#options.name !== undefined) more.policy = this.#options.name
    if (this.#due !== undefined) more.retryAfterMs = Math.max(0, this.#due - this.#clock.now())
    return error
  }

  // biome-ignore lint/suspicious/noExplicitAny: whatever the client sends
  #on(event: string, listener: (...args: any[]) => void): () => void {
    if (event === 'reconnect' || event === 'connect' || event === 'disconnect' || event === 'error')
      return this.#events.add(event, listener)
    const entry = { event, listener }
    this.#forwarded.push(entry)
    this.#client?.on(event, this.#forward(entry))
    return () => {
      const at = this.#forwarded.indexOf(entry)
      if (at >= 0) this.#forwarded.splice(at, 1)
    }
  }

  // biome-ignore lint/suspicious/noExplicitAny: whatever the client sends
  #forward(entry: { event: string; listener: (...args: any[]) => void }) {
    return (...args: unknown[]): void => {
      if (!this.#forwarded.includes(entry)) return
      call(() => entry.listener(...args), `reconnecting: a listener of '${entry.event}'`)
    }
  }

  #move(event: number): boolean {
    if (this.#freed) return false
    const next = this.#engine.reconnectOn(this.#handle, event, this.#clock.now())
    if (next < 0) return false
    this.#state = next
    return true
  }

  #connect(): Promise<void> {
    if (this.#state === CONNECTED) return Promise.resolve()
    if (this.#state === KILLED) return Promise.reject(this.#refusal('disconnected'))
    this.#first ??= Promise.withResolvers()
    const { promise } = this.#first
    if (this.#state === IDLE) this.#begin()
    return promise
  }

  #begin(): void {
    if (!this.#move(BEGIN)) return
    this.#due = undefined
    const attempt = ++this.#attempt
    this.#events.emit('reconnect', { attempt })
    // A listener may have given up.
    if (STATES[this.#state] !== 'connecting') return
    let client: C
    try {
      client = this.#create()
    } catch (error) {
      this.#lost(undefined, error)
      return
    }
    this.#client = client
    // Also long after it was replaced: an error nobody listens to would end the process.
    client.on('error', error => this.#failed(client, error))
    for (const event of ['end', 'close']) client.on(event, () => this.#lost(client))
    for (const entry of this.#forwarded) client.on(entry.event, this.#forward(entry))
    const { connectTimeoutMs = 10_000, prepare } = this.#options
    const late = (): void =>
      this.#lost(client, new Error(`not connected in ${connectTimeoutMs} ms`))
    this.#cancel = startTimer(this.#clock, connectTimeoutMs, late, true)
    const connect = async (): Promise<void> => {
      await client.connect()
      await prepare?.(client)
    }
    connect().then(
      () => this.#made(client, attempt),
      error => this.#lost(client, error),
    )
  }

  #made(client: C, attempt: number): void {
    // One that came late, after its time was up, is of no use any more.
    if (client !== this.#client || !this.#move(MADE)) return
    this.#cancel?.()
    this.#attempt = 0
    this.#lastError = undefined
    this.#ready(true)
    this.#first?.resolve()
    this.#first = undefined
    this.#events.emit('connect', { attempt })
  }

  /** What a client says may be a word only: that it is lost shows in its end, or is said so. */
  #failed(client: C, error: unknown): void {
    if ((error as { fatal?: unknown } | undefined)?.fatal === true) this.#lost(client, error)
    else this.#complain(error)
  }

  #complain(error: unknown): void {
    if (this.#freed) return
    this.#lastError = error
    this.#events.emit('error', error)
  }

  #lost(client: C | undefined, ...errors: unknown[]): void {
    // Also where its end was seen before: whoever listens wants to know why.
    for (const error of errors) this.#complain(error)
    if (client && client !== this.#client) return
    const wasConnected = this.#state === CONNECTED
    if (!this.#move(LOST)) return
    this.#cancel?.()
    if (client) void endOf(client)
    if (wasConnected) {
      this.#ready(false)
      this.#events.emit('disconnect', undefined)
    }
    // A listener may have given up.
    if (this.#state === WAITING) this.#wait()
  }

  #wait(): void {
    const failures = this.#engine.reconnectFailures(this.#handle)
    const ms = this.#backoff.delay(failures, failures > 1 ? this.#waitedMs : 0)
    if (ms === null) {
      void this.#disconnect()
      return
    }
    this.#waitedMs = ms
    this.#due = this.#clock.now() + ms
    // Whoever awaits `connect()` keeps the process alive; a service has its own reasons to live.
    this.#cancel = startTimer(this.#clock, ms, () => this.#begin(), this.#first === undefined)
  }

  #disconnect(): Promise<void> {
    if (this.#ended) return this.#ended
    const wasConnected = this.#state === CONNECTED
    const had = this.#state !== IDLE && this.#state !== WAITING
    this.#move(KILL)
    this.#cancel?.()
    this.#due = undefined
    this.#freed = true
    this.#engine.reconnectFree(this.#handle)
    if (this.#ownBackoff) this.#backoff[Symbol.dispose]()
    const first = this.#first
    this.#first = undefined
    first?.promise.catch(() => {})
    first?.reject(this.#refusal('disconnected'))
    this.#ended = had && this.#client ? endOf(this.#client) : Promise.resolve()
    if (wasConnected) {
      this.#ready(false)
      this.#events.emit('disconnect', undefined)
    }
    return this.#ended
  }

  #ready(ready: boolean): void {
    const { onReady } = this.#options
    if (onReady) call(() => onReady(ready), 'reconnecting: onReady')
  }
}

function scheduleOf(
  backoff: Backoff | BackoffOptions | undefined,
  seed: number | undefined,
): Backoff {
  if (backoff instanceof Backoff) return backoff
  return backoff ? new Backoff(backoff) : connectionSchedule({ jitter: 0.1, seed })
}

/** Ends a client that may be broken: neither what it throws nor that it never ends matters. */
async function endOf(client: ConnectingClient): Promise<void> {
  try {
    await client.end()
  } catch (error) {
    if (!(error instanceof Error)) report(error, 'reconnecting: end')
  }
}
