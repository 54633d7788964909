/**
 * What the gates of a policy decided, call by call, in a ring of numbers: a fixed cost for each
 * entry and no more memory than was asked for. `replay` of `seawall/testing` plays it again.
 */
import { causeLabel } from './causes.js'
import type { Clock } from './clock.js'
import { FAILURE, type Gate, type GateCall } from './gate.js'
import type { Stage } from './policy-options.js'
import { answerOf } from './policy-trial.js'

/** What happened to a call at one part of a policy. */
export type LoggedEvent =
  | 'letThrough'
  | 'queued'
  | 'refused'
  | 'begun'
  | 'gaveUp'
  | 'success'
  | 'failure'
  | 'neutral'

/** In the order of their numbers: answers of `enter`, ends of a wait, outcomes. */
const EVENTS: readonly LoggedEvent[] = [
  'letThrough',
  'queued',
  'refused',
  'begun',
  'gaveUp',
  'success',
  'failure',
  'neutral',
]
const BEGUN = 3
const GAVE_UP = 4
const OUTCOMES = 5

/** One entry of a decision log. */
export interface LoggedDecision {
  /** When, in ms of the policy's clock. */
  at: number
  /** Which part of the policy. */
  stage: Stage
  /** Which passage of a call through that part; its entries have the same number. */
  call: number
  event: LoggedEvent
  /** How long the function ran, at an outcome. */
  ms?: number
  /** What failed, at a failure: the error's code, else its HTTP status, else its name. */
  cause?: string
}

/** A decision log as data, for `JSON.stringify` and `replay`. */
export interface DecisionLog {
  version: 1
  /** The seed the policy drew with. */
  seed: number
  /** Whether older entries have been overwritten. */
  truncated: boolean
  entries: LoggedDecision[]
}

const WIDTH = 6

/** A ring of decisions. @internal */
export class DecisionRing {
  readonly #numbers: Float64Array
  readonly #clock: Clock
  readonly #stages: Stage[] = []
  /** Causes by number, as many as fit; the rest is 0. */
  readonly #causes: string[] = ['']
  readonly #seed: number
  #written = 0
  #calls = 0

  constructor(capacity: number, clock: Clock, seed: number) {
    this.#numbers = new Float64Array(capacity * WIDTH)
    this.#clock = clock
    this.#seed = seed
  }

  /** `gate`, whose decisions are written down. */
  watch(stage: Stage, gate: Gate): Gate {
    const place = this.#stages.includes(stage)
      ? this.#stages.indexOf(stage)
      : this.#stages.push(stage) - 1
    const running = new Map<number, { ticket: number; since: number }>()
    const begin = (call: number, ticket: number): number => {
      running.set(call, { ticket, since: this.#clock.now() })
      return call
    }
    return {
      get timed() {
        return gate.timed ?? false
      },
      enter: (flight: GateCall | undefined) => {
        const call = ++this.#calls
        const entered = gate.enter(flight)
        this.#write(place, call, answerOf(entered), 0, 0)
        if (typeof entered === 'number') return begin(call, entered)
        if (!(entered instanceof Promise)) return entered
        return entered.then(
          ticket => {
            this.#write(place, call, BEGUN, 0, 0)
            return begin(call, ticket)
          },
          error => {
            this.#write(place, call, GAVE_UP, 0, 0)
            throw error
          },
        )
      },
      leave: (call, outcome, detail, started) => {
        const entry = running.get(call)
        if (!entry) return
        running.delete(call)
        const cause = outcome === FAILURE ? this.#causeOf(detail) : 0
        this.#write(place, call, OUTCOMES + outcome, this.#clock.now() - entry.since, cause)
        gate.leave(entry.ticket, outcome, detail, started)
      },
    }
  }

  /** The entries there are, the oldest first. */
  read(): DecisionLog {
    const capacity = this.#numbers.length / WIDTH
    const first = Math.max(0, this.#written - capacity)
    const entries: LoggedDecision[] = []
    for (let i = first; i < this.#written; i++) {
      const start = (i % capacity) * WIDTH
      const [at, place, call, event, ms, cause] = this.#numbers.subarray(start, start + WIDTH)
      const isOutcome = (event as number) >= OUTCOMES
      entries.push({
        at: at as number,
        stage: this.#stages[place as number] as Stage,
        call: call as number,
        event: EVENTS[event as number] as LoggedEvent,
        ...(isOutcome && { ms: ms as number }),
        ...(cause && { cause: this.#causes[cause] as string }),
      })
    }
    return { version: 1, seed: this.#seed, truncated: first > 0, entries }
  }

  #write(place: number, call: number, event: number, ms: number, cause: number): void {
    const start = (this.#written++ * WIDTH) % this.#numbers.length
    this.#numbers.set([this.#clock.now(), place, call, event, ms, cause], start)
  }

  #causeOf(error: unknown): number {
    const label = causeLabel(error)
    const known = this.#causes.indexOf(label)
    if (known >= 0) return known
    return this.#causes.length < 256 ? this.#causes.push(label) - 1 : 0
  }
}
