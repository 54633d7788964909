/**
 * Deadlines: when a call must be over, in ms of the clock of the policies it passes. Between services
 * the time that is left travels, because their clocks differ.
 */
import { type Clock, systemClock } from './clock.js'
import { policyEngine } from './engine/policies/index.js'
import { OptionError } from './errors.js'

/** The header that carries the time left: gRPC's, which proxies know. */
export const DEADLINE_HEADER = 'grpc-timeout'

/**
 * The deadline that is `ms` from now, for the `deadline` of a call.
 *
 * @example
 * ```ts
 * import { deadlineIn, Timeout } from 'seawall'
 *
 * const timeout = new Timeout({ timeoutMs: 1000 })
 * const deadline = deadlineIn(250)
 * await timeout.execute(async call => console.log('at most 250:', call.remaining()), { deadline })
 * ```
 */
export function deadlineIn(ms: number, clock: Clock = systemClock): number {
  if (typeof ms !== 'number' || !(ms >= 0)) {
    throw new OptionError(`deadlineIn: \`ms\` must be a number of at least 0, got ${ms}`, 'ms')
  }
  return clock.now() + ms
}

/**
 * The value of {@link DEADLINE_HEADER} for a request made within a call: whole milliseconds, rounded
 * down, in gRPC's notation (`1500m`). `undefined` where there is no limit.
 *
 * @example
 * ```ts
 * await timeout.execute(({ signal, deadline }) =>
 *   fetch(url, { signal, headers: { [DEADLINE_HEADER]: deadlineHeader(deadline) ?? '' } }),
 * )
 * ```
 */
export function deadlineHeader(deadline: number, clock: Clock = systemClock): string | undefined {
  const left = deadline - clock.now()
  if (!(left < Number.POSITIVE_INFINITY)) return undefined
  const ms = Math.max(0, Math.floor(left))
  // gRPC allows eight digits.
  return ms < 1e8 ? `${ms}m` : `${Math.min(99_999_999, Math.floor(ms / 1000))}S`
}

/** How {@link deadlineFrom} reads a header. */
export interface DeadlineFromOptions {
  /** A caller is not given more than this, in ms. Default no limit of ours. */
  maxMs?: number | undefined
  /** The clock of the policies. Default the runtime's. */
  clock?: Clock | undefined
}

/**
 * The deadline of an incoming request, from the time left that its header tells: gRPC's notation, or
 * digits alone for milliseconds. `maxMs` from now where it tells none or cannot be read, and
 * `undefined` without `maxMs`.
 */
export function deadlineFrom(
  header: string | null | undefined,
  { maxMs, clock = systemClock }: DeadlineFromOptions = {},
): number | undefined {
  const told = typeof header === 'string' ? policyEngine().timeoutRemaining(header) : -1
  const left = told < 0 ? maxMs : Math.min(told, maxMs ?? told)
  return left === undefined ? undefined : clock.now() + left
}
