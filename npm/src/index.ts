export {
  Backoff,
  type BackoffLimits,
  type BackoffOptions,
  type ConstantOptions,
  connectionSchedule,
  constant,
  type DecorrelatedOptions,
  decorrelated,
  type ExponentialOptions,
  exponential,
  fibonacci,
  type JitterOption,
  type LinearOptions,
  type ListOptions,
  linear,
  list,
  requestSchedule,
  type SpreadBackoff,
} from './backoff.js'
export { CircuitBreaker } from './breaker.js'
export {
  type ChaosBase,
  type ChaosOptions,
  type ChaosWrapper,
  chaos,
  type Experiment,
  type FailCallsOptions,
  failCalls,
  type LoopPauseOptions,
  loopPause,
  type RandomExitOptions,
  randomExit,
} from './chaos.js'
export {
  type ClassifyOptions,
  classify,
  isTransientError,
  mayRepeat,
  type RepeatOptions,
  type Verdict,
} from './classify.js'
export { engine } from './engine/index.js'
export type { Outcome } from './outcome.js'
export { every, Periodic, type PeriodicOptions, type StopOptions } from './periodic.js'
export { createRetryWrapper, tryRetry, withRetry } from './retry.js'
export type { RetryOptions } from './retry-options.js'
