/** What those hear who listen to a breaker. */
import { call, type Listeners } from '../events.js'
import type { BreakerCalls } from './calls.js'
import type { BreakerEvents } from './events.js'
import type { CircuitBreaker } from './index.js'
import type { CircuitBreakerOptions, CircuitState } from './options.js'
import { type BreakerExplanation, STATES } from './report.js'

/** What `getState` reports as failures while the listener of this breaker's closing is called. */
export let closing: { breaker: BreakerCalls; failures: number } | undefined

/** From now on a closing of `breaker` is told with these failures; without, as it is. */
export function closesWith(breaker: BreakerCalls, failures: number | undefined): void {
  closing = failures === undefined ? undefined : { breaker, failures }
}

/** The failures that a breaker which is just closing had, else those it has. */
export function failuresOf(breaker: BreakerCalls, failures: number): number {
  return closing?.breaker === breaker ? closing.failures : failures
}

/** A state of the engine as one of the three words. */
export function visible(state: BreakerExplanation['state']): CircuitState {
  if (state === 'closed') return 'closed'
  return state === 'half-open' || state === 'recovering' ? 'half-open' : 'open'
}

/** What listeners are given; nothing else extends the class. */
export function itself(breaker: BreakerCalls): CircuitBreaker {
  return breaker as CircuitBreaker
}

/** Tells of a change between two states of the engine, by number. */
export function tellChange(
  breaker: BreakerCalls,
  before: number,
  after: number,
  { onStateChange }: CircuitBreakerOptions,
  listeners: Listeners<BreakerEvents> | undefined,
): void {
  const from = STATES[before] ?? 'closed'
  const to = STATES[after] ?? 'closed'
  if (onStateChange && visible(from) !== visible(to)) {
    if (to !== 'closed') closing = undefined
    call(() => onStateChange(visible(to), visible(from)), 'CircuitBreaker: `onStateChange`')
  }
  if (listeners?.has('stateChange')) {
    listeners.emit('stateChange', {
      from,
      to,
      because: breaker.explain(),
      breaker: itself(breaker),
    })
  }
}
