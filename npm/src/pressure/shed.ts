/**
 * Refusing requests for a monitor, the same way in every framework: before the body is read, with an
 * answer that was written beforehand. What is refused is the engine's decision; what stands here is
 * how HTTP says it.
 */
import type { RejectedError } from '../errors.js'
import { asked, call } from '../events.js'
import type { PriorityName } from '../gate.js'
import type { PressureMonitor } from './monitor.js'
import type { PressureAsk, PressureRefusal } from './refusal.js'
import {
  type Criticality,
  checkShed,
  type RequestPriority,
  type ShedOptions,
} from './shed-options.js'
import type { WrittenAnswer } from './written-answer.js'

/** How a framework's request is read. @internal */
export interface Reader<R> {
  /** The path, with or without a query. */
  path(request: R): string
  /** A header by its name in small letters. */
  header(request: R, name: string): string | undefined
  /** Names and values in turns as they came, where they are at hand: Node makes `headers` when asked. */
  raw?(request: R): readonly string[] | undefined
}

/** A request that is answered with 503 instead of being served. */
export interface ShedAnswer extends PressureRefusal {
  readonly status: 503
  /** `retry-after`, `connection` and the like beside those of the body. */
  readonly headers: Readonly<Record<string, string>>
  /** JSON, as {@link ShedAnswer.headers} says. */
  readonly body: string
  /** Whether the connection is to be closed after the answer. */
  readonly close: boolean
  /** The headers as Node takes them with the least work: names and values in turns. @internal */
  readonly flat: readonly string[]
  /** As it was written last. @internal */
  written?: WrittenAnswer | undefined
}

/** The error of a refused request, for frameworks whose error handlers write answers. */
export type ShedError = RejectedError & {
  status: 503
  statusCode: 503
  expose: boolean
  headers: Readonly<Record<string, string>>
}

/** What every refusal says. @internal */
export const REFUSAL_BODY =
  '{"statusCode":503,"code":"SEAWALL_UNDER_PRESSURE","error":"Service Unavailable","message":"Service Unavailable"}'
const TYPE = 'application/json; charset=utf-8'
const LENGTH = String(REFUSAL_BODY.length)
/** What is never refused, unless told otherwise. @internal */
export const PROBES: readonly string[] = ['/livez', '/readyz', '/startupz', '/healthz']
const UNREAD_BYTES = 65_536
const TRANSFER_ENCODING = 'transfer-encoding'
const CONTENT_LENGTH = 'content-length'
/** Refusals differ by signal, seconds, and whether the connection is closed: some dozens. */
const ANSWERS = 256
const NOBODY: PressureAsk = {}

/** The words of SRE as classes; what says nothing is between the two pairs. */
const CRITICALITIES: Record<Criticality, PriorityName> = {
  CRITICAL_PLUS: 'veryHigh',
  CRITICAL: 'high',
  SHEDDABLE_PLUS: 'low',
  SHEDDABLE: 'veryLow',
}
/** By words in small letters without anything between: `VeryHigh`, `very-high`, `VERY_HIGH`. */
const CLASSES: Record<string, PriorityName> = {
  verylow: 'veryLow',
  low: 'low',
  medium: 'medium',
  high: 'high',
  veryhigh: 'veryHigh',
  criticalplus: 'veryHigh',
  critical: 'high',
  sheddableplus: 'low',
  sheddable: 'veryLow',
}

/** Decides about requests of one framework. */
export class Shedder<R> {
  readonly monitor: PressureMonitor
  readonly #reader: Reader<R>
  readonly #options: ShedOptions<R>
  readonly #paths: ReadonlySet<string> | undefined
  readonly #unread: number
  /** What is left of the share of connections to close: at 1 the next one is. */
  #toClose = 0
  /** Answers that were given before, by their refusals: without a change, and with the connection closed. */
  readonly #open = new Map<PressureRefusal, ShedAnswer>()
  readonly #closing = new Map<PressureRefusal, ShedAnswer>()

  /** @throws OptionError for an option that is unknown or of a wrong type */
  constructor(where: string, monitor: PressureMonitor, reader: Reader<R>, options: ShedOptions<R>) {
    checkShed(where, options)
    const { bypass = PROBES, maxUnreadBytes = UNREAD_BYTES } = options
    this.monitor = monitor
    this.#reader = reader
    this.#options = options
    this.#paths = typeof bypass === 'function' ? undefined : new Set(bypass)
    this.#unread = maxUnreadBytes
  }

  /** What a request is answered instead of being served; `undefined`: it is served. */
  decide(request: R): ShedAnswer | undefined {
    const { queueHeader } = this.#options
    if (queueHeader !== undefined) this.#queued(this.#reader.header(request, queueHeader))
    if (this.monitor.isCalm) return undefined
    return this.#judge(request)
  }

  /** Whether the connection of a request that is served is to be closed after the answer. */
  closes(): boolean {
    return this.#isNext(this.monitor.closeShare)
  }

  #isNext(share: number): boolean {
    if (!(share > 0)) return false
    this.#toClose += share
    if (this.#toClose < 1) return false
    this.#toClose -= 1
    return true
  }

  /** Whether refusals go to the framework's error handling. */
  get forwards(): boolean {
    return this.#options.forwardErrors === true
  }

  /** The error of a refused request: a new one each time. */
  error(answer: ShedAnswer): ShedError {
    const { 'content-type': _, 'content-length': __, ...headers } = answer.headers
    return Object.assign(this.monitor.error(answer), {
      status: 503 as const,
      statusCode: 503 as const,
      expose: true,
      headers,
    })
  }

  #judge(request: R): ShedAnswer | undefined {
    if (this.#bypasses(request)) return undefined
    const { priority, cohort, onShed } = this.#options
    const ask = priority || cohort ? this.#ask(request) : NOBODY
    const refusal = this.monitor.admit(ask)
    if (refusal === undefined) return undefined
    if (onShed) call(() => onShed(refusal, request), 'shed: `onShed`')
    const close = this.#isLarge(request) || this.#isNext(this.monitor.refusedCloseShare)
    return (close ? this.#closing : this.#open).get(refusal) ?? this.#write(refusal, close)
  }

  #ask(request: R): PressureAsk {
    const { cohort } = this.#options
    return {
      priority: this.#priority(request),
      cohort: cohort && text(asked(() => cohort(request), undefined, 'shed: `cohort`')),
    }
  }

  /** Writes an answer, and keeps it: the monitor gives the same refusal again for the same reason. */
  #write(refusal: PressureRefusal, close: boolean): ShedAnswer {
    const { cause, retryAfterMs } = refusal
    const headers: Record<string, string> = { 'content-type': TYPE, 'content-length': LENGTH }
    if (retryAfterMs !== undefined) headers['retry-after'] = String(retryAfterMs / 1_000)
    if (this.#options.exposeSignal) headers['x-pressure'] = cause
    if (close) headers.connection = 'close'
    const flat = Object.entries(headers).flat()
    const answer: ShedAnswer = {
      status: 503 as const,
      headers,
      flat,
      body: REFUSAL_BODY,
      close,
      cause,
      retryAfterMs,
    }
    const answers = close ? this.#closing : this.#open
    if (answers.size >= ANSWERS) answers.clear()
    answers.set(refusal, answer)
    return answer
  }

  #bypasses(request: R): boolean {
    const { bypass } = this.#options
    if (typeof bypass === 'function') {
      return asked(() => bypass(request), false, 'shed: `bypass`') === true
    }
    const path = this.#reader.path(request)
    const query = path.indexOf('?')
    return this.#paths?.has(query < 0 ? path : path.slice(0, query)) === true
  }

  #priority(request: R): PriorityName | number | undefined {
    const { priority } = this.#options
    if (priority === undefined) return undefined
    if (priority !== 'headers') {
      return classOf(asked(() => priority(request), undefined, 'shed: `priority`'))
    }
    const level = this.#reader.header(request, 'x-failsafe-level')
    if (level !== undefined && /^\d{1,3}$/.test(level)) return Math.min(Number(level), 499)
    return classOf(this.#reader.header(request, 'x-failsafe-priority'))
  }

  #isLarge(request: R): boolean {
    const raw = this.#reader.raw?.(request)
    if (raw !== undefined) return isLarge(raw, this.#unread)
    if (this.#reader.header(request, TRANSFER_ENCODING) !== undefined) return true
    const length = this.#reader.header(request, CONTENT_LENGTH)
    return length !== undefined && !(Number(length) <= this.#unread)
  }

  #queued(header: string | undefined): void {
    if (header === undefined) return
    const number = Number(/\d+(?:\.\d+)?/.exec(header)?.[0] ?? Number.NaN)
    // Seconds have 10 digits in this age, ms 13, µs 16.
    const ms = number < 1e11 ? number * 1_000 : number < 1e14 ? number : number / 1_000
    this.monitor.queued(Math.max(0, Date.now() - ms))
  }
}

/** Whether there is more of a body than `most` bytes, by headers as they came. */
function isLarge(raw: readonly string[], most: number): boolean {
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] ?? ''
    // Of hardly another header the length is one of these.
    if (name.length === TRANSFER_ENCODING.length && name.toLowerCase() === TRANSFER_ENCODING) {
      return true
    }
    if (name.length === CONTENT_LENGTH.length && name.toLowerCase() === CONTENT_LENGTH) {
      if (!(Number(raw[i + 1]) <= most)) return true
    }
  }
  return false
}

function classOf(priority: unknown): PriorityName | number | undefined {
  if (typeof priority === 'number') return Number.isNaN(priority) ? undefined : priority
  if (typeof priority !== 'string') return undefined
  const known = CRITICALITIES[priority as Criticality]
  return known ?? CLASSES[priority.toLowerCase().replace(/[^a-z]/g, '')]
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

export type { RequestPriority }
