/**
 * How much this process can still bear. What is decided, and by which signals, stands in
 * `core/src/pressure`; a native thread or a timer measures, and what the engine makes of it is read
 * here from memory, without a call, while nobody has to be refused.
 */
import { systemClock } from '../clock.js'
import { Handles } from '../engine/handles.js'
import { processEngine } from '../engine/process/index.js'
import {
  OptionError,
  optionProblem,
  type RejectedError,
  rejected,
  SeawallError,
} from '../errors.js'
import { Listeners } from '../events.js'
import { updated } from '../options.js'
import { classIndex, rankCode } from '../priority.js'
import { seedOr } from '../seed.js'
import * as board from './board.js'
import {
  CAUSES,
  explained,
  LEVELS,
  type PressureExplanation,
  type PressureLevel,
} from './explain.js'
import { letGo } from './keep-alive.js'
import { measure } from './measure.js'
import { enterRoute } from './native.js'
import { checkPressure, numbersOf, type PressureOptions } from './options.js'
import { type PressureRecording, presentRecording, recordTo } from './recording.js'
import { type PressureAsk, type PressureRefusal, refusalCode, refusalOf } from './refusal.js'
import {
  type PressureSignal,
  type PressureSignals,
  SIGNAL_NAMES,
  signalNumbers,
  signalsOf,
} from './signals.js'
import { knownStalls, type PressureStall } from './stalls.js'

/** What a monitor tells of itself; see {@link PressureMonitor.on}. */
export interface PressureEvents {
  /** It is on another level. */
  change: {
    readonly level: PressureLevel
    readonly previous: PressureLevel
    readonly pressure: number
    readonly signal: PressureSignal | undefined
  }
  /** A request was refused; in a dry run it was let in. */
  shed: PressureRefusal & { readonly dryRun: boolean }
  /** The event loop stood still and turns again. */
  stall: PressureStall
  /** It was put into maintenance, or taken out of it: {@link PressureMonitor.setMaintenance}. */
  maintenance: { readonly on: boolean }
}

/** Options that cannot be changed. */
const FIXED = [
  'clock',
  'seed',
  'source',
  'sampleIntervalMs',
  'stallMs',
  'stallStack',
  'recordTo',
  'name',
] as const
/** How often the memory is looked at for events while the native thread measures. */
const LOOK_MS = 100
const handles = new Handles(handle => {
  processEngine().pressureUnwatch?.(handle)
  processEngine().pressureFree(handle)
})

let handleOf: (monitor: PressureMonitor) => number
let tellStall: (monitor: PressureMonitor, stall: PressureStall) => void

/** The engine's handle. @internal */
export function pressureHandle(monitor: PressureMonitor): number {
  return handleOf(monitor)
}

/**
 * Knows the pressure this process is under, and whom to refuse.
 *
 * It measures from when it is made until it is disposed of, and keeps no process alive. Monitors
 * share what is measured.
 *
 * @example
 * ```ts
 * import { PressureMonitor } from 'seawall/pressure'
 *
 * const monitor = new PressureMonitor({ blockMs: { soft: 50, hard: 200 }, memory: false })
 * const refusal = monitor.admit({ priority: 'low', cohort: 'tenant 7' })
 * if (refusal) console.log('come back in', refusal.retryAfterMs, 'ms, because of', refusal.cause)
 * else console.log('served on level', monitor.level)
 * ```
 */
export class PressureMonitor implements Disposable {
  static {
    handleOf = monitor => monitor.#handle
    tellStall = (monitor, stall) => monitor.#listeners?.emit('stall', stall)
  }

  #options: PressureOptions
  #handle: number
  #memory: ArrayBuffer | WebAssembly.Memory
  #offset: number
  #words: Float64Array<ArrayBufferLike>
  #inFlight = 0
  #numbers: Float64Array | undefined
  #listeners: Listeners<PressureEvents> | undefined
  #level = 0
  #stalls = 0
  #turn = 0
  #source: PressureExplanation['source'] = 'manual'
  #stop: (() => void) | undefined
  #looking: (() => void) | undefined

  /** @throws OptionError for an option that is unknown, of a wrong type or out of range */
  constructor(options: PressureOptions = {}) {
    checkPressure(options)
    const core = processEngine()
    this.#options = { ...options }
    this.#handle = core.pressureNew(numbersOf(options), seedOr(options.seed))
    if (this.#handle < 0) throw optionProblem('PressureMonitor', options, core)
    handles.watch(this, this.#handle)
    this.#memory = board.boardMemory(this.#handle)
    this.#offset = core.pressureOffset(this.#handle)
    this.#words = board.boardView(this.#memory, this.#offset)
    this.#start()
  }

  /** Its name, if it was given one. */
  get name(): string | undefined {
    return this.#options.name
  }

  /** How far it has come. A read of memory. */
  get level(): PressureLevel {
    return LEVELS[this.#read(board.LEVEL)] ?? 'normal'
  }

  /** From 0, none, to 1. A read of memory. */
  get pressure(): number {
    return this.#read(board.PRESSURE)
  }

  /** The greatest signal since this level was reached. A read of memory. */
  get signal(): PressureSignal | undefined {
    return SIGNAL_NAMES[this.#read(board.SIGNAL)]
  }

  /** For how many ms the pressure is expected to last. A read of memory. */
  get drainMs(): number {
    return this.#read(board.DRAIN)
  }

  /** The share of responses after which the connection is to be closed, 0 to 1. A read of memory. */
  get closeShare(): number {
    return this.#read(board.CLOSE)
  }

  /** The same after a refusal: less, as a refusal on a new connection is dearer. A read of memory. */
  get refusedCloseShare(): number {
    return this.#read(board.CLOSE_REFUSED)
  }

  /** The part of its usual time for which an idle connection is kept, 0 to 1. A read of memory. */
  get keepAliveShare(): number {
    return this.#read(board.KEEP_ALIVE)
  }

  /** Whether {@link admit} lets everybody in, without asking. A read of memory. */
  get isCalm(): boolean {
    return this.#words[board.THRESHOLD] === 0
  }

  /** What was measured last. A read of memory. */
  signals(): PressureSignals {
    this.#read(0)
    return signalsOf(this.#words, board.SIGNALS_AT)
  }

  /**
   * Whether a request may be served: `undefined`, or why not. While there is no pressure that is one
   * read of memory. In a dry run it is always `undefined`.
   */
  admit(ask?: PressureAsk): PressureRefusal | undefined {
    if (this.#words[board.THRESHOLD] === 0) return undefined
    return this.#ask(ask)
  }

  /**
   * {@link admit} for those who throw: a new error of its own for each request, without stack
   * frames, with the code `SEAWALL_UNDER_PRESSURE` and `retryAfterMs`.
   */
  reject(ask?: PressureAsk): RejectedError | undefined {
    const refusal = this.admit(ask)
    return refusal && this.error(refusal)
  }

  /** The error of a refusal, a new one each time. */
  error({ cause, retryAfterMs }: PressureRefusal): RejectedError {
    const why = cause === 'maintenance' ? 'in maintenance' : `under pressure (${cause})`
    return rejected('SEAWALL_UNDER_PRESSURE', `The service is ${why}`, {
      rule: cause,
      counts: { pressure: this.pressure, inFlight: this.#inFlight },
      policy: this.#options.name,
      retryAfterMs,
    })
  }

  /** Counts a request under way, for `inFlight`; {@link ended} once it is answered. */
  started(): void {
    this.#words[board.IN_FLIGHT] = ++this.#inFlight
  }

  /** A request under way has ended. */
  ended(): void {
    if (this.#inFlight > 0) this.#words[board.IN_FLIGHT] = --this.#inFlight
  }

  /** Requests under way. */
  get inFlight(): number {
    return this.#inFlight
  }

  /** A request that begins now has waited for so many ms; for `queueMs`. */
  queued(ms: number): void {
    if (!(ms >= 0)) return
    const sequence = this.#read(board.SEQUENCE)
    const words = this.#words
    // The shortest since the last measurement: what even the luckiest waits is a queue.
    if (words[board.QUEUE_TAG] === sequence && (words[board.QUEUE] ?? 0) <= ms) return
    words[board.QUEUE] = ms
    words[board.QUEUE_TAG] = sequence
  }

  /**
   * Notes which route is entered, so that a stall can tell who blocked. A write to memory (some 10 ns);
   * nothing without a native thread.
   */
  enter(route: string): void {
    enterRoute(route)
  }

  /**
   * The stalls of this isolate's event loop, the oldest of the last hundred first. Empty without a
   * native thread: then there is only the event `stall`.
   */
  stalls(): PressureStall[] {
    return this.#source === 'native' ? knownStalls() : []
  }

  /** What happened in the last minute; `undefined` without a native thread. */
  recording(): PressureRecording | undefined {
    return this.#source === 'native' ? presentRecording() : undefined
  }

  /** Takes what was measured elsewhere, by someone else or with `source: 'manual'`. */
  observe(signals: PressureSignals): void {
    const handle = this.#live()
    this.#numbers ??= new Float64Array(SIGNAL_NAMES.length)
    const now = (this.#options.clock ?? systemClock).now()
    processEngine().pressureObserve(handle, now, signalNumbers(signals, this.#numbers))
    this.#look()
  }

  /** Refuses everybody, or no longer, also in a dry run: what is never refused is up to who asks. */
  setMaintenance(on: boolean): void {
    processEngine().pressureMaintenance(this.#live(), on)
    this.#look()
    if (this.#listeners?.has('maintenance')) this.#listeners.emit('maintenance', { on })
  }

  /** Whether everybody is refused. */
  get maintenance(): boolean {
    return this.#read(board.MODE) >= 2
  }

  /** Why it decides as it does, and when that will change. */
  explain(): PressureExplanation {
    return explained(this.#live(), this.#options.name, this.#source)
  }

  /**
   * Goes on by these options from the next measurement on, those not given staying as they are.
   * Level and counts stay.
   *
   * @throws OptionError as the constructor; nothing has changed then.
   */
  update(options: Omit<PressureOptions, (typeof FIXED)[number]>): void {
    checkPressure(options)
    for (const name of FIXED) {
      if ((options as PressureOptions)[name] !== undefined) {
        throw new OptionError(`PressureMonitor: \`${name}\` cannot be changed`, name)
      }
    }
    const core = processEngine()
    const all = updated(this.#options, options)
    if (core.pressureUpdate(this.#live(), numbersOf(all)) < 0) {
      throw optionProblem('PressureMonitor', all, core)
    }
    this.#options = all
    // Memory of the WASM engine may have grown.
    this.#read(0)
  }

  /** Calls `listener` at each such event until the function returned is called. */
  on<E extends keyof PressureEvents>(
    event: E,
    listener: (detail: PressureEvents[E]) => void,
  ): () => void {
    this.#listeners ??= new Listeners('PressureMonitor')
    const listeners = this.#listeners
    const remove = listeners.add(event, listener)
    if (this.#handle >= 0 && event === 'change') this.#watch()
    return () => {
      remove()
      if (listeners.has('change')) return
      this.#looking?.()
      this.#looking = undefined
    }
  }

  /** Whether requests under way count, so that somebody has to tell of them. */
  get countsInFlight(): boolean {
    return Boolean(this.#options.inFlight)
  }

  /** Stops measuring and lets go of what the engine holds. From now on it lets everybody in. */
  [Symbol.dispose](): void {
    if (this.#handle < 0) return
    this.#looking?.()
    this.#looking = undefined
    this.#stop?.()
    this.#stop = undefined
    this.#words = board.calmBoard()
    this.#memory = this.#words.buffer as ArrayBuffer
    this.#offset = 0
    const handle = this.#handle
    this.#handle = -1
    handles.release(this, handle)
    letGo(this)
  }

  #live(): number {
    if (this.#handle < 0) {
      throw new SeawallError('SEAWALL_DISPOSED', 'PressureMonitor: used after it was disposed')
    }
    return this.#handle
  }

  #read(word: number): number {
    const number = this.#words[word]
    if (number !== undefined) return number
    this.#words = board.boardView(this.#memory, this.#offset)
    this.#words[board.IN_FLIGHT] = this.#inFlight
    return this.#words[word] ?? 0
  }

  #ask(ask: PressureAsk | undefined): PressureRefusal | undefined {
    if (this.#read(board.THRESHOLD) === 0) return undefined
    const sure = this.#refuseAll(ask)
    const rank = sure < 0 ? rankCode(ask?.priority) : 0
    const code = sure < 0 ? processEngine().pressureAdmit(this.#handle, rank, ask?.cohort) : sure
    if (code === 0) return undefined
    const dryRun = code < 0
    const refusal = refusalOf(Math.abs(code))
    if (this.#listeners?.has('shed')) this.#listeners.emit('shed', { ...refusal, dryRun })
    return dryRun ? undefined : refusal
  }

  /**
   * The answer to a request of a class of which all are refused, as the engine would have given it;
   * -1: the engine has to be asked. It counts them from the board.
   */
  #refuseAll(ask: PressureAsk | undefined): number {
    const words = this.#words
    const index = ask?.cohort === undefined ? classIndex(ask?.priority) : -1
    if (index < 0 || !(index < (words[board.SURE] ?? 0))) return -1
    const word = board.REFUSED_AT + index
    words[word] = (words[word] ?? 0) + 1
    const place = (words[board.MODE] ?? 0) >= 2 ? -1 : (words[board.SIGNAL] ?? -1)
    const cause = place < 0 ? CAUSES.length - 1 : place
    this.#turn = (this.#turn + 1) % board.RETRIES
    return refusalCode(cause, words[board.RETRY_AT + this.#turn] ?? 0)
  }

  #start(): void {
    const { source, stop } = measure(this.#handle, this, this.#options, tellStall, () => {
      this.#look()
      return this.#level > 0
    })
    this.#source = source
    this.#stop = stop
    const { recordTo: path } = this.#options
    if (source === 'native' && path !== undefined) this.#record(path)
  }

  #record(path: string): void {
    try {
      recordTo(path)
    } catch (error) {
      this[Symbol.dispose]()
      throw error
    }
  }

  /** Looks for changes now and then, where nobody beats who would tell of them. */
  #watch(): void {
    if (this.#looking || this.#source !== 'native') return
    const timer = setInterval(() => this.#look(), LOOK_MS)
    ;(timer as { unref?: () => void }).unref?.()
    this.#looking = () => clearInterval(timer)
  }

  /** Tells of what has changed since the last look. */
  #look(): void {
    const level = this.#read(board.LEVEL)
    const stalls = this.#read(board.STALLS)
    const before = this.#level
    const isNewStall = stalls !== this.#stalls
    this.#level = level
    this.#stalls = stalls
    // The native thread tells of stalls itself, and knows more of them.
    const tells = isNewStall && this.#source !== 'native'
    if (tells && this.#listeners?.has('stall')) {
      this.#listeners.emit('stall', { ms: this.#read(board.STALL), count: stalls })
    }
    if (level === before || !this.#listeners?.has('change')) return
    const { pressure, signal } = this
    this.#listeners.emit('change', {
      level: LEVELS[level] ?? 'normal',
      previous: LEVELS[before] ?? 'normal',
      pressure,
      signal,
    })
  }
}
