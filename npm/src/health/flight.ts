import type { Clock } from '../clock.js'
import { describe, TimeoutError } from '../errors.js'
import { startTimer } from '../timer.js'

/** What a check is called with. */
export interface CheckContext {
  /** The name of the check. */
  readonly name: string
  /** Aborted when the time of the run is up; pass it on to what can be cancelled. */
  readonly signal: AbortSignal
}

/**
 * Looks at one thing. It is well if the answer is truthy, unless that is an object whose `status` is
 * `'unhealthy'` or `'fail'`; anything else, a throw and a rejection mean that it is not.
 */
export type Check = (context: CheckContext) => unknown

/** How a run of a check came out. */
export interface CheckResult {
  /** The name of the check. */
  name: string
  /** Whether it was well. */
  passed: boolean
  /** Why it was not, or what its answer says of itself. */
  message?: string
  /** What was thrown, if anything. */
  error?: unknown
  /** How long the run took, in ms; until its time was up if it hangs. */
  durationMs: number
}

/** What one run needs to know. @internal */
export interface Flight {
  readonly name: string
  readonly check: Check
  readonly timeoutMs: number
  readonly clock: Clock
  /** Its time is up: 1 it has failed, 0 that does not matter, below 0 so many ms more. */
  expire(error: TimeoutError): number
  /** It has ended. */
  end(result: CheckResult): void
}

/** A run under way. @internal */
export interface Flying {
  /** Resolves when it has ended or its time is up, whichever is first. */
  readonly decided: Promise<void>
  /** Its time is up, by somebody else's timer. */
  readonly expire: () => void
  /** Aborts its signal. */
  abort(reason: unknown): void
}

/** Runs a check once. @internal */
export function fly(flight: Flight): Flying {
  const { name, clock, timeoutMs } = flight
  const controller = new AbortController()
  const started = clock.now()
  let cancel: (() => void) | undefined
  let expired!: () => void
  const decided = new Promise<void>(resolve => {
    expired = (): void => {
      const error = new TimeoutError(
        `Health check ${name} timed out after ${timeoutMs} ms`,
        timeoutMs,
      )
      const more = -flight.expire(error)
      if (more > 0) {
        cancel = startTimer(clock, Math.ceil(more), expired, true)
        return
      }
      cancel = undefined
      controller.abort(error)
      resolve()
    }
    if (timeoutMs !== Number.POSITIVE_INFINITY) {
      cancel = startTimer(clock, Math.ceil(timeoutMs), expired, true)
    }
    const end = (verdict: Omit<CheckResult, 'name' | 'durationMs'>): void => {
      cancel?.()
      flight.end({ name, ...verdict, durationMs: clock.now() - started })
      resolve()
    }
    answerOf(flight.check, { name, signal: controller.signal }).then(
      answer => end(read(answer)),
      error => end({ passed: false, message: messageOf(error), error }),
    )
  })
  return { decided, expire: expired, abort: reason => controller.abort(reason) }
}

async function answerOf(check: Check, context: CheckContext): Promise<unknown> {
  return check(context)
}

function read(answer: unknown): { passed: boolean; message?: string } {
  if (!answer) return { passed: false, message: `the check answered ${describe(answer)}` }
  if (typeof answer !== 'object') return { passed: true }
  const { status, errors, message } = answer as { [key: string]: unknown }
  const first = Array.isArray(errors) ? errors[0] : message
  const text = typeof first === 'string' ? first : undefined
  if (status === 'unhealthy' || status === 'fail') {
    return { passed: false, message: text ?? `the check answered ${describe(status)}` }
  }
  const said = text ?? (typeof status === 'string' && status !== 'healthy' ? status : undefined)
  return said === undefined ? { passed: true } : { passed: true, message: said }
}

/** What was thrown, as text. */
export function messageOf(thrown: unknown): string {
  try {
    return thrown instanceof Error ? thrown.message || thrown.name : String(thrown)
  } catch {
    return 'an error that cannot be printed'
  }
}
