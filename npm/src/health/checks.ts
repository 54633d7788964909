/**
 * The health of a service, of all its checks. What a result comes to, what is too old and which
 * check runs next is decided in `core/src/health`; here are the timers, promises and names.
 */
import { type Clock, systemClock } from '../clock.js'
import { Handles } from '../engine/handles.js'
import { processEngine } from '../engine/process/index.js'
import { OptionError, optionProblem, SeawallError } from '../errors.js'
import { Listeners } from '../events.js'
import { check as checkOptions } from '../options.js'
import { startTimer, timersEndWithRequest } from '../timer.js'
import {
  CHECK_FIELDS,
  type CheckOptions,
  type HealthChecksOptions,
  numbersOf,
} from './check-options.js'
import { type Check, type CheckResult, type Flying, fly, messageOf } from './flight.js'
import type { CheckReport, HealthEvents, HealthReport, HealthVerdict } from './report.js'
import * as told from './words.js'
import { type HealthKind, KINDS, reasonOf } from './words.js'

interface Entry {
  readonly id: number
  readonly name: string
  readonly kind: HealthKind
  readonly check: Check
  readonly timeoutMs: number
  readonly flying: Set<Flying>
  last?: CheckResult
}

const NO_LIMITS = new Float64Array(0)
const handles = new Handles(handle => processEngine().healthFree(handle))

/** Where the parts of `Verdict::to_numbers` and `HealthSet::watch_numbers` stand. */
const PASSING = 0
const REASON = 1
const CHECK = 2
const SINCE = 3
const UNTIL = 4
const WATCH_SINCE = 2
const HEARD = 3
const BEGAN = 4
const AGAINST = 5
const TIMEOUT = 6

let partsOf: (checks: HealthChecks) => ChecksParts

/** What the probe server needs of a set. @internal */
export interface ChecksParts {
  readonly handle: number
  readonly clock: Clock
  readonly unrecoverable: string | undefined
  entries(): Iterable<{ id: number; name: string; kind: HealthKind; message: string | undefined }>
  /** Called whenever a check, its message or a flag has changed. */
  follow(listener: () => void): () => void
  judge(kind: HealthKind, limits: Float64Array, level: number): HealthVerdict
}

/** What the probe server needs of a set. @internal */
export function checksParts(checks: HealthChecks): ChecksParts {
  return partsOf(checks)
}

/**
 * The health of a service: named checks that run by themselves, one run of each at a time, and the
 * three answers they add up to.
 *
 * Its timers keep no process alive.
 *
 * @example
 * ```ts
 * import { HealthChecks } from 'seawall/health'
 *
 * using checks = new HealthChecks()
 * checks.add('disk', async ({ signal }) => !signal.aborted, { intervalMs: 5000, timeoutMs: 1000 })
 * const { passing, reason } = await checks.check('readiness')
 * console.log(passing, reason) // true passing
 * checks.drain() // no more work, please
 * console.log(checks.verdict('readiness').reason, checks.verdict('liveness').passing) // draining true
 * ```
 */
export class HealthChecks implements Disposable {
  static {
    partsOf = checks => checks.#parts
  }

  readonly #clock: Clock
  readonly #listeners: Listeners<HealthEvents & { state: undefined }> = new Listeners(
    'HealthChecks',
  )
  readonly #entries = new Map<string, Entry>()
  /** The last answers of the engine, good until they are too old or something happens. */
  readonly #answers: (ArrayLike<number> | undefined)[] = []
  /** Whether each kind passed when it was last looked at. */
  readonly #passed: boolean[] = [true, true, true]
  readonly #parts: ChecksParts
  /** Nothing runs by itself where timers end with the request that set them: see {@link CheckOptions}. */
  readonly #onDemand: boolean
  /** Nothing was so before; 0 in the global scope of a Worker, whose clock does not show the time. */
  #began: number
  #handle: number
  #draining = false
  #unrecoverable: unknown
  #cancel: (() => void) | undefined

  /** @throws OptionError for an option that is unknown or of a wrong type. */
  constructor(options: HealthChecksOptions = {}) {
    checkOptions('HealthChecks', options, { clock: 'object' })
    const clock = options.clock ?? systemClock
    this.#clock = clock
    this.#onDemand = timersEndWithRequest(clock)
    this.#began = clock.now()
    const handle = processEngine().healthNew(this.#began)
    this.#handle = handle
    handles.watch(this, handle)
    const self = this
    this.#parts = {
      handle,
      clock,
      get unrecoverable() {
        return self.#unrecoverable === undefined ? undefined : messageOf(self.#unrecoverable)
      },
      *entries() {
        for (const { id, name, kind, last } of self.#entries.values())
          yield { id, name, kind, message: last?.message }
      },
      follow: listener => this.#listeners.add('state', listener),
      judge: (kind, limits, level) => {
        const now = clock.now()
        const number = KINDS.indexOf(kind)
        return this.#worded(
          kind,
          processEngine().healthVerdict(this.#live(), number, limits, Number.NaN, level, now),
          now,
        )
      },
    }
  }

  /**
   * Adds a check and runs it at once; answers a function that takes it out again. In Workers, where
   * nothing runs outside of a request, it runs when {@link check} or {@link run} first asks for it.
   *
   * @throws OptionError for an option that is unknown, of a wrong type or out of range, and for a
   * name that is taken.
   */
  add(name: string, check: Check, options: CheckOptions = {}): () => void {
    checkOptions('HealthChecks', { name, check }, { name: 'string', check: 'function' })
    checkOptions('HealthChecks', options, CHECK_FIELDS)
    if (this.#entries.has(name)) {
      const message = `HealthChecks: \`name\` must be another, there is a check ${JSON.stringify(name)}`
      throw new OptionError(message, 'name')
    }
    const handle = this.#live()
    const core = processEngine()
    const now = this.#clock.now()
    const id = core.healthAdd(handle, numbersOf(options), now)
    if (id < 0) throw optionProblem('HealthChecks', options, core)
    const timeoutMs = core.healthWatch(handle, id, now)[TIMEOUT] ?? 0
    const { kind = 'readiness' } = options
    const entry: Entry = { id, name, kind, check, timeoutMs, flying: new Set() }
    this.#entries.set(name, entry)
    if (!this.#onDemand) this.#begin(told.BEGIN, id)
    this.#changed()
    return () => {
      if (this.#entries.get(name) === entry) this.remove(name)
    }
  }

  /** Takes a check out and aborts the signal of its run; whether there was one. */
  remove(name: string): boolean {
    const entry = this.#entries.get(name)
    if (entry === undefined || this.#handle < 0) return false
    this.#entries.delete(name)
    this.#tell(told.REMOVE, entry.id)
    const reason = new SeawallError('SEAWALL_DISPOSED', `Health check ${name} was removed`)
    for (const flying of entry.flying) flying.abort(reason)
    this.#changed()
    return true
  }

  /** The answer to one question, from the results there are. */
  verdict(kind: HealthKind): HealthVerdict {
    const number = this.#kind(kind)
    const now = this.#clock.now()
    return this.#worded(kind, this.#answer(number, now), now)
  }

  /** Whether the answer is yes; dearer than a comparison only when something has happened. */
  isPassing(kind: HealthKind): boolean {
    return (this.#answer(this.#kind(kind), this.#clock.now())[PASSING] ?? 0) > 0
  }

  /**
   * Runs the checks of this kind whose last result is missing or too old, waits for the runs under
   * way that the answer hangs on, and answers. A check that hangs makes it wait for its timeout at
   * most. In Workers it also runs those whose interval is over.
   */
  async check(kind: HealthKind): Promise<HealthVerdict> {
    this.#kind(kind)
    const waiting: Promise<void>[] = []
    for (const entry of this.#entries.values()) {
      if (kind === 'readiness' || entry.kind === kind) {
        const how = this.#onDemand ? told.BEGIN_IF_DUE : told.BEGIN_IF_OLD
        const flying = this.#begin(how, entry.id)
        if (flying) waiting.push(flying.decided)
        else if (entry.last === undefined || this.#onDemand) waiting.push(...this.#decisions(entry))
      }
    }
    await Promise.all(waiting)
    return this.verdict(kind)
  }

  /**
   * Runs a check now, or joins the run under way, and answers what is then known of it. A start-up
   * check that has passed is not run again.
   *
   * @throws OptionError if there is no such check.
   */
  async run(name: string): Promise<CheckReport> {
    const entry = this.#entries.get(name)
    this.#live()
    if (entry === undefined) {
      throw new OptionError(`HealthChecks: there is no check ${JSON.stringify(name)}`, 'name')
    }
    this.#begin(told.BEGIN, entry.id)
    await Promise.all(this.#decisions(entry))
    return this.#reported(entry, this.#clock.now())
  }

  /** All that is known. */
  report(): HealthReport {
    const now = this.#clock.now()
    return {
      liveness: this.verdict('liveness'),
      readiness: this.verdict('readiness'),
      startup: this.verdict('startup'),
      draining: this.#draining,
      checks: [...this.#entries.values()].map(entry => this.#reported(entry, now)),
    }
  }

  /**
   * Says that this process cannot recover: it neither lives nor is ready from now on. Another error
   * given later replaces the first; `undefined` takes it back.
   */
  setUnrecoverable(error: unknown): void {
    this.#unrecoverable = error
    this.#tell(error === undefined ? told.RECOVER : told.UNRECOVERABLE, 0)
    this.#changed()
  }

  /** Whether work is wanted: with `false` it is not ready, and lives. */
  setReady(ready: boolean): void {
    this.#draining = !ready
    this.#tell(ready ? told.READY : told.DRAIN, 0)
    this.#changed()
  }

  /** Says that no more work is wanted: `setReady(false)`. */
  drain(): void {
    this.setReady(false)
  }

  /** Calls `listener` at each such event until the function returned is called. */
  on<E extends keyof HealthEvents>(
    event: E,
    listener: (detail: HealthEvents[E]) => void,
  ): () => void {
    return this.#listeners.add(event, listener as never)
  }

  /** Ends all checks and aborts the signals of their runs. Using it afterwards is an error. */
  [Symbol.dispose](): void {
    if (this.#handle < 0) return
    this.#cancel?.()
    const reason = new SeawallError('SEAWALL_DISPOSED', 'HealthChecks: it was disposed')
    handles.release(this, this.#handle)
    this.#handle = -1
    this.#answers.length = 0
    for (const { flying } of this.#entries.values()) {
      for (const run of flying) run.abort(reason)
    }
    this.#entries.clear()
  }

  #live(): number {
    if (this.#handle < 0) {
      throw new SeawallError('SEAWALL_DISPOSED', 'HealthChecks: used after it was disposed')
    }
    return this.#handle
  }

  #kind(kind: HealthKind): number {
    const number = KINDS.indexOf(kind)
    if (number < 0) checkOptions('HealthChecks', { kind }, CHECK_FIELDS)
    return number
  }

  #tell(event: number, subject: number): number {
    this.#answers.length = 0
    return processEngine().healthTell(this.#live(), event, subject, this.#clock.now())
  }

  #answer(kind: number, now: number): ArrayLike<number> {
    const known = this.#answers[kind]
    if (known !== undefined && now < (known[UNTIL] ?? 0)) return known
    const { NaN: none } = Number
    const answer = processEngine().healthVerdict(this.#live(), kind, NO_LIMITS, none, none, now)
    this.#answers[kind] = answer
    return answer
  }

  #worded(kind: HealthKind, numbers: ArrayLike<number>, now: number): HealthVerdict {
    const reason = reasonOf(numbers[REASON])
    const entry = [...this.#entries.values()].find(({ id }) => id === numbers[CHECK])
    const verdict: HealthVerdict = {
      kind,
      passing: (numbers[PASSING] ?? 0) > 0,
      reason,
      forMs: this.#age(numbers[SINCE], now) ?? 0,
    }
    if (entry) verdict.check = entry.name
    const message = reason === 'unrecoverable' ? this.#parts.unrecoverable : entry?.last?.message
    if (message !== undefined) verdict.message = message
    return verdict
  }

  /** How long ago `time` was, in ms; nothing for no time. */
  #age(time = Number.NaN, now: number): number | null {
    if (this.#onDemand) this.#began ||= now
    return Number.isNaN(time) ? null : Math.max(0, now - Math.max(this.#began, time))
  }

  #reported(entry: Entry, now: number): CheckReport {
    const { id, name, kind, last } = entry
    const numbers = processEngine().healthWatch(this.#live(), id, now)
    const since = (index: number): number | null => this.#age(numbers[index], now)
    return {
      name,
      kind,
      passing: (numbers[PASSING] ?? 0) > 0,
      reason: reasonOf(numbers[REASON]),
      forMs: since(WATCH_SINCE) ?? 0,
      ageMs: since(HEARD),
      runningMs: since(BEGAN),
      against: numbers[AGAINST] ?? 0,
      ...(last && { durationMs: last.durationMs }),
      ...(last?.message !== undefined && { message: last.message }),
    }
  }

  /** Begins a run if the engine lets it. */
  #begin(event: number, subject: number): Flying | undefined {
    const run = this.#tell(event, subject)
    if (run < 0) return undefined
    const id = Math.floor(run / 2 ** 32)
    const entry = [...this.#entries.values()].find(other => other.id === id)
    if (entry === undefined) return undefined
    const { name, check, timeoutMs, flying: all } = entry
    const heard = (result: CheckResult): void => {
      entry.last = result
      this.#listeners.emit('result', result)
      this.#changed()
    }
    const flying: Flying = fly({
      name,
      check,
      timeoutMs,
      clock: this.#clock,
      expire: error => {
        if (this.#handle < 0) return 0
        // Nobody would hear of its end: the request that began it may be gone.
        const answer = this.#tell(this.#onDemand ? told.FAIL : told.EXPIRE, run)
        if (this.#onDemand) all.delete(flying)
        if (answer > 0) {
          heard({ name, passed: false, message: error.message, error, durationMs: timeoutMs })
        }
        return answer
      },
      end: result => {
        all.delete(flying)
        if (this.#handle < 0) return
        const counts = this.#tell(result.passed ? told.PASS : told.FAIL, run)
        if (counts > 0) heard(result)
        else this.#changed()
      },
    })
    all.add(flying)
    return flying
  }

  /** Sees whether an answer has become another, and sets the timer anew. */
  #changed(): void {
    if (this.#handle < 0) return
    const now = this.#clock.now()
    let next = Number.POSITIVE_INFINITY
    for (const [number, kind] of KINDS.entries()) {
      const answer = this.#answer(number, now)
      const passing = (answer[PASSING] ?? 0) > 0
      if (passing) next = Math.min(next, answer[UNTIL] ?? next)
      if (passing !== this.#passed[number]) {
        this.#passed[number] = passing
        if (this.#listeners.has('change'))
          this.#listeners.emit('change', this.#worded(kind, answer, now))
        if (this.#handle < 0) return
      }
    }
    this.#listeners.emit('state', undefined)
    if (this.#handle < 0) return
    const due = processEngine().healthTell(this.#handle, told.DUE, 0, now)
    if (due >= 0) next = Math.min(next, due)
    this.#cancel?.()
    this.#cancel = undefined
    if (next === Number.POSITIVE_INFINITY || this.#onDemand) return
    const wait = Math.max(0, Math.ceil(next - now - 1e-6))
    this.#cancel = startTimer(this.#clock, wait, () => this.#wake(), true)
  }

  #wake(): void {
    while (this.#handle >= 0 && this.#begin(told.TAKE, 0)) {}
    this.#changed()
  }

  /** When the runs under way are decided. Their own timers may be gone with who set them. */
  #decisions({ flying, timeoutMs }: Entry): Promise<void>[] {
    return Array.from(flying, ({ decided, expire }) => {
      if (!this.#onDemand) return decided
      const cancel = startTimer(this.#clock, Math.ceil(timeoutMs), expire)
      return decided.finally(cancel)
    })
  }
}
