import { OptionError } from '../errors.js'
import type { PriorityName } from '../gate.js'
import { check, type Kind } from '../options.js'
import type { PressureRefusal } from './refusal.js'

/** The words of "Site Reliability Engineering" for how important a request is. */
export type Criticality = 'CRITICAL_PLUS' | 'CRITICAL' | 'SHEDDABLE_PLUS' | 'SHEDDABLE'

/** How important a request is: a class, a level from 0 to 499, or one of the words above. */
export type RequestPriority = PriorityName | Criticality | number

/** How requests are shed. `R` is the request of the framework. */
export interface ShedOptions<R> {
  /**
   * How important a request is. `'headers'` believes what it says itself, in
   * `X-Failsafe-Level` (0 to 499) or `X-Failsafe-Priority` (a class or a {@link Criticality});
   * only for a service whose clients are your own, or behind a proxy that sets the header. Default:
   * all are `'medium'`. A function that throws is reported, and the request is `'medium'`.
   */
  priority?: 'headers' | ((request: R) => RequestPriority | undefined) | undefined
  /** Whose request it is: users who were served most lately are refused first. Default nobody's. */
  cohort?: ((request: R) => string | undefined) | undefined
  /**
   * What is never refused, not even in maintenance: paths without query, or a function. Default
   * `['/livez', '/readyz', '/startupz', '/healthz']`. Paths for probes should be here, lest an orchestrator
   * restarts what is only busy.
   */
  bypass?: readonly string[] | ((request: R) => boolean) | undefined
  /** Whether refusals name the signal in `X-Pressure`. Default `false`. */
  exposeSignal?: boolean | undefined
  /**
   * A refused request with more bytes of body than this, or of unknown length, loses its connection
   * too, so that the body need not be read. Default 65,536.
   */
  maxUnreadBytes?: number | undefined
  /**
   * A header in which a proxy notes when the request arrived (`x-request-start`: ms, µs or s since
   * 1970, with or without `t=`); the wait until now counts for `queueMs`. Default none.
   */
  queueHeader?: string | undefined
  /** Told of each refusal, before it is answered. What it throws is reported. */
  onShed?: ((refusal: PressureRefusal, request: R) => void) | undefined
  /**
   * Hand an error of its own for each refused request to the framework's error handling instead of
   * answering here. It has `statusCode` 503, `headers`, `code` and `retryAfterMs`. Default `false`.
   */
  forwardErrors?: boolean | undefined
}

export const SHED_FIELDS: Record<string, Kind> = {
  priority: 'any',
  cohort: 'function',
  bypass: 'any',
  exposeSignal: 'boolean',
  maxUnreadBytes: 'number',
  queueHeader: 'string',
  onShed: 'function',
  forwardErrors: 'boolean',
}

/** Refuses unknown options and wrong types. */
export function checkShed<R>(where: string, options: ShedOptions<R>): void {
  check(where, options, SHED_FIELDS)
  const { priority, bypass, maxUnreadBytes } = options
  if (priority !== undefined && typeof priority !== 'function' && priority !== 'headers') {
    throw new OptionError(`${where}: \`priority\` must be "headers" or a function`, 'priority')
  }
  if (bypass !== undefined && typeof bypass !== 'function') {
    const isList = Array.isArray(bypass) && bypass.every(path => typeof path === 'string')
    if (!isList) {
      throw new OptionError(`${where}: \`bypass\` must be a list of paths or a function`, 'bypass')
    }
  }
  if (maxUnreadBytes !== undefined && !(maxUnreadBytes >= 0)) {
    const got = `must be a number of at least 0, got ${maxUnreadBytes}`
    throw new OptionError(`${where}: \`maxUnreadBytes\` ${got}`, 'maxUnreadBytes')
  }
}
