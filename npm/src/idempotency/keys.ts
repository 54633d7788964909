/**
 * Requests with an idempotency key. What a key means is the engine's decision; this file asks the
 * store, waits, and keeps answers.
 */
import { type Clock, systemClock } from '../clock.js'
import { Handles } from '../engine/handles.js'
import { policyEngine } from '../engine/policies/index.js'
import { optionProblem, SeawallError, TimeoutError } from '../errors.js'
import { call, report } from '../events.js'
import type { Store } from '../store.js'
import { memoryStore } from '../stores/memory.js'
import { startTimer } from '../timer.js'
import {
  checkIdempotency,
  type IdempotencyOptions,
  type IdempotentAnswer,
  type IdempotentRequest,
  idempotencyNumbers,
} from './options.js'
import { decode, digest, encode, type IdempotencyRecord } from './record.js'

/** What becomes of a request; see {@link Idempotency.begin}. */
export type IdempotencyStep =
  | {
      /** It has nothing to do with keys: go on. */
      readonly kind: 'none'
    }
  | {
      /** It is the first: process it, and say how that ended. */
      readonly kind: 'process'
      /**
       * Keeps the answer for repetitions, if it is one to keep; else gives the key back. Without a
       * body (one that went out as a stream): keeps that there was one. Never rejects.
       */
      settle(answer: Omit<IdempotentAnswer, 'body'> & { body?: Uint8Array }): Promise<void>
      /** It failed: the next one with the key is processed. Never rejects. */
      release(): Promise<void>
    }
  | {
      /** It is a repetition: this is the answer, the mark among its headers. */
      readonly kind: 'replay'
      readonly answer: IdempotentAnswer
    }
  | {
      /** It cannot be processed: this is the answer, a problem in JSON. */
      readonly kind: 'refuse'
      readonly answer: IdempotentAnswer
    }

const NONE: IdempotencyStep = { kind: 'none' }

const PROCESS = -1
const TAKE_OVER = -2
const REPLAY = -3
const CONFLICT = -4
const MISMATCH = -5

const RUNNING = 1
const DONE = 2
const DONE_WITHOUT = 3

/** Bytes of keys and answers in a memory of its own. */
const MOST_BYTES = 2 ** 25

const handles = new Handles(handle => policyEngine().idempotencyFree(handle))

/** A request under way. */
interface Running {
  /** Resolved when it has ended. */
  readonly over: Promise<void>
  /** When its lock ends, and nobody waits for it any more. */
  readonly ends: number
}

/** Answers repeated requests with what the first one was answered, and processes none twice. */
export class Idempotency implements Disposable {
  /** The header with the key, in small letters. */
  readonly header: string
  readonly #options: IdempotencyOptions
  readonly #store: Store
  readonly #clock: Clock
  readonly #storeTimeoutMs: number
  readonly #methods: ReadonlySet<string>
  /** Requests of this process that are under way, by the key of the store. */
  readonly #running = new Map<string, Running>()
  #handle: number

  /** @throws OptionError for an option that is unknown, of a wrong type or out of range. */
  constructor(options: IdempotencyOptions = {}) {
    checkIdempotency(options)
    const e = policyEngine()
    this.#options = { ...options }
    this.#clock = options.clock ?? systemClock
    this.#store = options.store ?? memoryStore({ maxBytes: MOST_BYTES, clock: this.#clock })
    this.#methods = new Set(
      Array.from(options.methods ?? ['POST', 'PATCH'], it => it.toUpperCase()),
    )
    this.header = (options.header ?? 'Idempotency-Key').toLowerCase()
    this.#handle = e.idempotencyNew(idempotencyNumbers(options))
    if (this.#handle < 0) throw optionProblem('idempotency', options, e)
    handles.watch(this, this.#handle)
    this.#storeTimeoutMs = e.idempotencyStoreTimeout(this.#handle)
  }

  /** Whether a request is one of those that may have a key, so that its body is worth a look. */
  concerns(method: string, key: string | undefined): boolean {
    return (
      this.#methods.has(method.toUpperCase()) &&
      (key !== undefined || this.#options.required === true)
    )
  }

  /** Whether an answer of so many bytes would be kept. @internal */
  holds(bytes: number): boolean {
    return this.#handle >= 0 && policyEngine().idempotencyHolds(this.#handle, bytes)
  }

  /** Finds out what to do with a request. Waits for another one with the same key, if need be. */
  async begin(request: IdempotentRequest): Promise<IdempotencyStep> {
    if (!this.concerns(request.method, request.key)) return NONE
    if (this.#handle < 0) {
      throw new SeawallError('SEAWALL_DISPOSED', 'idempotency: used after it was disposed')
    }
    // The header is a string of structured fields: quoted, if the client keeps to that.
    const key = /^"(.*)"$/.exec(request.key ?? '')?.[1] ?? request.key
    if (key === undefined) return refuse(400, 'This request needs an idempotency key')
    if (!policyEngine().idempotencyIsKey(key)) return refuse(400, 'This is no idempotency key')
    const place = `idempotency-v1-${await digest(request.scope ?? '', key)}`
    const fingerprint = await digest(request.method, request.path, request.body ?? '')
    try {
      return await this.#claim(place, fingerprint)
    } catch (error) {
      this.#failed(error)
      if (this.#options.whenStoreFails !== 'refuse') return NONE
      return refuse(503, 'Idempotency keys cannot be looked up at present', 1000)
    }
  }

  /**
   * Processes a request unless it is a repetition; answers what it, or the first one, is answered.
   * What `process` throws is thrown on, and not kept.
   *
   * @example
   * ```ts
   * import { idempotency } from 'seawall/idempotency'
   *
   * const keys = idempotency()
   * const request = { method: 'POST', path: '/orders', key: 'a-key', body: '{"item":7}' }
   * let processed = 0
   * const order = async () => {
   *   processed++
   *   return { status: 201, headers: {}, body: new TextEncoder().encode('ordered') }
   * }
   * await keys.run(request, order)
   * const again = await keys.run(request, order)
   * console.log(processed, again.headers['Idempotent-Replayed'])
   * ```
   */
  async run(
    request: IdempotentRequest,
    process: () => Promise<IdempotentAnswer>,
  ): Promise<IdempotentAnswer> {
    const step = await this.begin(request)
    if (step.kind === 'none') return process()
    if (step.kind !== 'process') return step.answer
    let answer: IdempotentAnswer
    try {
      answer = await process()
    } catch (error) {
      await step.release()
      throw error
    }
    await step.settle(answer)
    return answer
  }

  /** Lets go of what the engine holds. Using it afterwards is an error. */
  [Symbol.dispose](): void {
    if (this.#handle < 0) return
    handles.release(this, this.#handle)
    this.#handle = -1
  }

  async #claim(place: string, fingerprint: string): Promise<IdempotencyStep> {
    const started = this.#clock.now()
    const id = crypto.randomUUID()
    const lockMs = policyEngine().idempotencyLock(this.#handle)
    const mine = (): Uint8Array => encode({ id, fingerprint, done: false, answer: undefined })
    for (let looks = 0; ; looks++) {
      const stored = await this.#soon(this.#store.get(place))
      const record = stored && decode(stored.value)
      const code = policyEngine().idempotencyStep(
        this.#handle,
        found(record),
        record?.fingerprint === fingerprint,
        // The store lets go of a lock that has ended; the clocks of two machines are not to be trusted.
        0,
        this.#clock.now() - started,
        looks,
      )
      if (code === PROCESS || code === TAKE_OVER) {
        const taken = stored
          ? this.#store.compareAndSet(place, stored.token, mine(), lockMs)
          : this.#store.add(place, mine(), lockMs)
        let isMine = false
        try {
          isMine = await this.#soon(taken)
        } catch (error) {
          // The store may have done it all the same; then the answer is kept in the end.
          if (this.#options.whenStoreFails === 'refuse') throw error
          this.#failed(error)
          isMine = true
        }
        if (isMine) return this.#process(place, fingerprint, id, lockMs)
        // Another was faster: look again, at once.
      } else if (code >= 0) await this.#pause(place, code)
      else return this.#answer(code, record)
    }
  }

  #answer(code: number, record: IdempotencyRecord | undefined): IdempotencyStep {
    if (code === REPLAY && record?.answer) {
      const { status, headers, body } = record.answer
      const mark = this.#options.replayedHeader ?? 'Idempotent-Replayed'
      return { kind: 'replay', answer: { status, headers: { ...headers, [mark]: 'true' }, body } }
    }
    if (code === MISMATCH) return refuse(422, 'This idempotency key belongs to another request')
    if (code === CONFLICT) {
      return refuse(409, 'A request with this idempotency key is being processed', 1000)
    }
    return refuse(409, 'This request was processed, and its answer was not kept')
  }

  #process(place: string, fingerprint: string, id: string, lockMs: number): IdempotencyStep {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#sweep()
    const mine = { over: promise, ends: this.#clock.now() + lockMs }
    this.#running.delete(place)
    this.#running.set(place, mine)
    let open = true
    const end = async (act: () => Promise<unknown>): Promise<void> => {
      if (!open) return
      open = false
      try {
        await this.#soon(act())
      } catch (error) {
        this.#failed(error)
      }
      if (this.#running.get(place) === mine) this.#running.delete(place)
      resolve()
    }
    const release = (): Promise<void> => end(() => this.#release(place, id))
    return {
      kind: 'process',
      release,
      settle: ({ status, headers, body }) => {
        if (this.#handle < 0 || !policyEngine().idempotencyKeeps(status)) return release()
        const fits = body && this.holds(body.byteLength)
        const answer = fits ? { status, headers: kept(headers), body } : undefined
        const record = { id, fingerprint, done: true, answer }
        return end(() => this.#keep(place, record))
      },
    }
  }

  /** Replaces the lock by the answer, unless the lock has passed to another. */
  async #keep(place: string, record: IdempotencyRecord): Promise<void> {
    const ttlMs = policyEngine().idempotencyTtl(this.#handle)
    const stored = await this.#store.get(place)
    if (stored && decode(stored.value)?.id !== record.id) return
    const put = (value: Uint8Array): Promise<boolean> =>
      stored
        ? this.#store.compareAndSet(place, stored.token, value, ttlMs)
        : this.#store.add(place, value, ttlMs)
    try {
      await put(encode(record))
    } catch (error) {
      const { code } = (error ?? {}) as { code?: unknown }
      if (code !== 'SEAWALL_VALUE_TOO_LARGE' || record.answer === undefined) throw error
      // That it was processed is more than nothing: else it would be processed again.
      await put(encode({ ...record, answer: undefined }))
    }
  }

  /** Forgets requests that never ended; the first is the oldest. */
  #sweep(): void {
    const now = this.#clock.now()
    for (const [place, { ends }] of this.#running) {
      if (ends > now) return
      this.#running.delete(place)
    }
  }

  async #release(place: string, id: string): Promise<void> {
    const stored = await this.#store.get(place)
    if (stored && decode(stored.value)?.id === id) await this.#store.delete(place)
  }

  /** Waits until it is time to look again, or until a request of this process has ended. */
  #pause(place: string, ms: number): Promise<void> {
    return new Promise(resolve => {
      const stop = startTimer(this.#clock, ms, resolve)
      this.#running.get(place)?.over.then(() => {
        stop()
        resolve()
      })
    })
  }

  /** What the store answers, if it does so in time. */
  #soon<T>(answer: Promise<T>): Promise<T> {
    const storeTimeoutMs = this.#storeTimeoutMs
    return new Promise((resolve, reject) => {
      const late = new TimeoutError(
        `The store took longer than ${storeTimeoutMs} ms`,
        storeTimeoutMs,
      )
      const stop = startTimer(this.#clock, storeTimeoutMs, () => reject(late))
      answer.then(resolve, reject).finally(stop)
    })
  }

  #failed(error: unknown): void {
    const { onError } = this.#options
    if (onError) call(() => onError(error), 'idempotency: `onError`')
    else report(error, 'idempotency: the store')
  }
}

/**
 * Idempotency keys for a server without one of the frameworks: see {@link Idempotency.run}.
 *
 * @throws OptionError for an option that is unknown, of a wrong type or out of range
 */
export function idempotency(options?: IdempotencyOptions): Idempotency {
  return new Idempotency(options)
}

function found(record: IdempotencyRecord | undefined): number {
  if (record === undefined) return 0
  if (!record.done) return RUNNING
  return record.answer ? DONE : DONE_WITHOUT
}

function kept(headers: IdempotentAnswer['headers']): IdempotentAnswer['headers'] {
  const e = policyEngine()
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => e.idempotencyKeepsHeader(name)),
  )
}

/** The answer to a request that is not processed (RFC 9457). */
function refuse(status: number, title: string, retryAfterMs?: number): IdempotencyStep {
  return {
    kind: 'refuse',
    answer: {
      status,
      headers: {
        'content-type': 'application/problem+json',
        ...(retryAfterMs !== undefined && {
          'retry-after': String(Math.ceil(retryAfterMs / 1000)),
        }),
      },
      body: new TextEncoder().encode(JSON.stringify({ title, status })),
    },
  }
}
