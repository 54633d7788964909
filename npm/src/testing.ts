/**
 * For tests of code that uses Seawall: time that is moved by hand, and another side that behaves as
 * the test says.
 */
import type { Clock } from './clock.js'

export { type Replay, type ReplayedDifference, replay } from './policy-replay.js'
export { VirtualClock } from './virtual-clock.js'

/** How a scripted dependency answers one call. */
export interface Step {
  /** After how long, in ms of the clock. Default 0: at once. */
  afterMs?: number
  /** What it answers. */
  result?: unknown
  /** What it fails with; in place of `result`. */
  error?: unknown
  /** It never answers, unless its signal is aborted. */
  hang?: boolean
  /** How many calls in a row this step is for. Default 1. */
  times?: number
}

/** A call that reached a scripted dependency. */
export interface Reached {
  /** When, in ms of the clock. */
  at: number
  /** What it was called with. */
  args: unknown[]
}

/** Another side that answers as it is told; see {@link scripted}. */
export interface Scripted {
  (...args: unknown[]): Promise<unknown>
  /** The calls that reached it. */
  readonly calls: Reached[]
  /** How many of them have not been answered. */
  readonly running: number
  /** The most that ran at a time. */
  readonly peak: number
}

/**
 * A dependency that plays `steps` call by call and repeats the last one for ever. It looks at the
 * `signal` of its first argument.
 *
 * @example
 * ```ts
 * import { policy } from 'seawall'
 * import { scripted, VirtualClock } from 'seawall/testing'
 *
 * const clock = new VirtualClock()
 * const other = scripted([{ error: Object.assign(new Error('no'), { code: 'ECONNREFUSED' }), times: 2 }, { result: 7 }], clock)
 * const answer = policy({ retry: { delayMs: 100 }, clock }).execute(other)
 * await clock.run()
 * console.log(await answer, other.calls.length)
 * ```
 */
export function scripted(steps: readonly Step[], clock: Clock): Scripted {
  const calls: Reached[] = []
  let [running, peak, place, used] = [0, 0, 0, 0]
  const next = (): Step => {
    const step = steps[place] ?? {}
    if (++used >= (step.times ?? 1) && place < steps.length - 1) [place, used] = [place + 1, 0]
    return step
  }
  const play = (step: Step, signal: AbortSignal | undefined): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const abort = (): void => {
        clock.clearTimer(timer)
        reject(signal?.reason)
      }
      const end = (): void => {
        signal?.removeEventListener('abort', abort)
        if ('error' in step) reject(step.error)
        else resolve(step.result)
      }
      const timer = step.hang || !step.afterMs ? undefined : clock.setTimer(end, step.afterMs)
      if (signal?.aborted) return abort()
      signal?.addEventListener('abort', abort, { once: true })
      if (!step.hang && !step.afterMs) end()
    })
  const dependency = async (...args: unknown[]): Promise<unknown> => {
    calls.push({ at: clock.now(), args })
    peak = Math.max(peak, ++running)
    try {
      return await play(next(), (args[0] as { signal?: AbortSignal } | undefined)?.signal)
    } finally {
      running--
    }
  }
  return Object.defineProperties(dependency, {
    calls: { value: calls },
    running: { get: () => running },
    peak: { get: () => peak },
  }) as Scripted
}
