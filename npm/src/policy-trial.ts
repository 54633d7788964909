/**
 * Other options beside those in use: the same calls pass gates that decide nothing, and what they
 * would have decided is counted.
 */
import { call } from './events.js'
import { type Gate, type GateCall, NEUTRAL } from './gate.js'
import type { Stage } from './policy-options.js'

/** What other options would have changed, for one part of a policy. */
export interface TrialReport {
  /** Which part. */
  stage: Stage
  /** Calls that came to it. */
  calls: number
  /** Of those let through, how many the other options would have refused. */
  wouldRefuse: number
  /** Of those refused, how many the other options would have let through. */
  wouldAllow: number
  /** Of those that went on at once, how many would have waited. */
  wouldWait: number
  /** What the part with the other options says of itself now. */
  state: unknown
}

/** How a gate answered, in a number: 0 at once, 1 after a wait, 2 not. @internal */
export function answerOf(entered: ReturnType<Gate['enter']>): 0 | 1 | 2 {
  if (typeof entered === 'number') return 0
  return entered instanceof Promise ? 1 : 2
}

/** Counts by what two gates differ. @internal */
export class Difference {
  calls = 0
  wouldRefuse = 0
  wouldAllow = 0
  wouldWait = 0

  add(ours: 0 | 1 | 2, theirs: 0 | 1 | 2): void {
    this.calls++
    if (theirs === 2 && ours !== 2) this.wouldRefuse++
    if (theirs !== 2 && ours === 2) this.wouldAllow++
    if (theirs === 1 && ours === 0) this.wouldWait++
  }
}

/** A passage through a gate that decides nothing: there may be no ticket yet, or never one. @internal */
export class Shadow {
  /** How the gate answered. */
  readonly answer: 0 | 1 | 2
  readonly #gate: Gate
  #ticket: number | undefined
  #end: [number, unknown, number | undefined] | undefined

  constructor(gate: Gate, entered: ReturnType<Gate['enter']>) {
    this.#gate = gate
    this.answer = answerOf(entered)
    if (typeof entered === 'number') this.#ticket = entered
    else if (entered instanceof Promise)
      entered.then(
        ticket => this.#late(ticket),
        () => {},
      )
  }

  leave(outcome: number, detail: unknown, started: number | undefined): void {
    this.#end = [outcome, detail, started]
    if (this.#ticket !== undefined) this.#gate.leave(this.#ticket, ...this.#end)
    this.#ticket = undefined
  }

  #late(ticket: number): void {
    if (this.#end) this.#gate.leave(ticket, ...this.#end)
    else this.#ticket = ticket
  }
}

/** `present`, with `candidate` listening. @internal */
export function shadowed(present: Gate, candidate: Gate, difference: Difference): Gate {
  const running = new Map<number, { ticket: number; shadow: Shadow }>()
  let last = 0
  const keep = (ticket: number, shadow: Shadow): number => {
    last = (last + 1) % Number.MAX_SAFE_INTEGER
    running.set(last, { ticket, shadow })
    return last
  }
  return {
    get timed() {
      return Boolean(present.timed || candidate.timed)
    },
    enter(flight: GateCall | undefined) {
      let theirs: ReturnType<Gate['enter']> = 0
      call(() => {
        theirs = candidate.enter(flight)
      }, 'policy: trial')
      const shadow = new Shadow(candidate, theirs)
      const ours = present.enter(flight)
      difference.add(answerOf(ours), shadow.answer)
      if (typeof ours === 'number') return keep(ours, shadow)
      const refused = (): void => shadow.leave(NEUTRAL, undefined, undefined)
      if (!(ours instanceof Promise)) {
        refused()
        return ours
      }
      return ours.then(
        ticket => keep(ticket, shadow),
        error => {
          refused()
          throw error
        },
      )
    },
    leave(id, outcome, detail, started) {
      const entry = running.get(id)
      if (!entry) return
      running.delete(id)
      present.leave(entry.ticket, outcome, detail, started)
      entry.shadow.leave(outcome, detail, started)
    },
  }
}
