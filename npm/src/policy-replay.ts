/** A decision log against other options. */
import { FAILURE, type Gate, NEUTRAL, SUCCESS } from './gate.js'
import type { DecisionLog, LoggedDecision, LoggedEvent } from './policy-log.js'
import { type PolicyOptions, type Stage, stagesOf } from './policy-options.js'
import { makePart, type Part } from './policy-parts.js'
import { Difference, Shadow, type TrialReport } from './policy-trial.js'
import { VirtualClock } from './virtual-clock.js'

/** One decision that would have been another. */
export interface ReplayedDifference {
  /** The entry as it was. */
  entry: LoggedDecision
  /** What would have happened instead. */
  instead: 'letThrough' | 'queued' | 'refused'
}

/** What other options would have done with the calls of a log. */
export interface Replay {
  /** Part by part. */
  report: TrialReport[]
  /** The first decisions that differ, a thousand at most. */
  differences: ReplayedDifference[]
}

const ANSWERS = ['letThrough', 'queued', 'refused'] as const
const OUTCOMES: Partial<Record<LoggedEvent, number>> = {
  success: SUCCESS,
  failure: FAILURE,
  neutral: NEUTRAL,
}

interface Player {
  part: Part
  gate: Gate
  difference: Difference
  running: Map<number, Shadow>
}

/**
 * Plays the calls of a decision log against the parts of other options, in virtual time and with
 * the seed of the log. The same options as those of the log decide the same, if the log begins
 * where the policy did.
 *
 * Outcomes are those of the log: what a call that was refused would have met is not known, so one
 * that the other options let through is neutral to them.
 *
 * @example
 * ```ts
 * import { policy } from 'seawall'
 * import { replay } from 'seawall/testing'
 *
 * const orders = policy({ breaker: { threshold: 10 }, log: 5_000 })
 * await orders.execute(() => 'an order')
 * const log = orders.log()
 * const { report } = await replay(log, { breaker: { threshold: 3 } })
 * console.log(report[0]?.wouldRefuse)
 * ```
 */
export async function replay(log: DecisionLog, options: PolicyOptions): Promise<Replay> {
  const clock = new VirtualClock(log.entries[0]?.at)
  const players = new Map<Stage, Player>()
  const surroundings = {
    clock,
    seed: options.seed ?? log.seed,
    budget: undefined,
    idempotent: undefined,
    waiting: () => {},
  }
  for (const stage of stagesOf(options)) {
    const part = makePart(stage, options, surroundings)
    const { gate } = part
    if (gate) players.set(stage, { part, gate, difference: new Difference(), running: new Map() })
  }
  const differences: ReplayedDifference[] = []
  for (const entry of log.entries) {
    const player = players.get(entry.stage)
    if (!player) continue
    if (entry.at > clock.now()) await clock.advance(entry.at - clock.now())
    const instead = step(player, entry, clock.now())
    if (instead && differences.length < 1_000) differences.push({ entry, instead })
  }
  const report = [...players].map(([stage, { part, difference }]) => {
    const { calls, wouldRefuse, wouldAllow, wouldWait } = difference
    return { stage, calls, wouldRefuse, wouldAllow, wouldWait, state: part.explain() }
  })
  for (const { part } of players.values()) part.dispose()
  return { report, differences }
}

/** Plays one entry; what would have been decided, where that is something else. */
function step(
  player: Player,
  entry: LoggedDecision,
  now: number,
): Replay['differences'][0]['instead'] | undefined {
  const { gate, difference, running } = player
  const recorded = ANSWERS.indexOf(entry.event as 'letThrough')
  if (recorded >= 0) {
    const shadow = new Shadow(gate, gate.enter(undefined))
    const { answer } = shadow
    difference.add(recorded as 0 | 1 | 2, answer)
    if (recorded === 2) shadow.leave(NEUTRAL, undefined, undefined)
    else running.set(entry.call, shadow)
    return answer === recorded ? undefined : ANSWERS[answer]
  }
  const outcome = entry.event === 'gaveUp' ? NEUTRAL : OUTCOMES[entry.event]
  if (outcome === undefined) return undefined
  const { cause, ms = 0 } = entry
  const detail = cause ? Object.assign(new Error(cause), { code: cause }) : undefined
  running.get(entry.call)?.leave(outcome, detail, now - ms)
  running.delete(entry.call)
  return undefined
}
