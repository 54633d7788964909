export {
  type AdaptiveEvents,
  type AdaptiveExplanation,
  AdaptiveLimiter,
  type AdaptivePermit,
  type LimitReason,
} from './adaptive-limiter.js'
export type {
  AdaptiveAlgorithm,
  AdaptiveLimiterOptions,
  AdaptiveLimits,
} from './adaptive-options.js'
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
export type {
  BreakerEvents,
  BreakerPermit,
  CircuitBreakerState,
  ExecuteOptions,
} from './breaker/events.js'
export { CircuitBreaker } from './breaker/index.js'
export type { BreakerMode, CircuitBreakerOptions, CircuitState } from './breaker/options.js'
export type { BreakerExplanation, BreakerSnapshot } from './breaker/report.js'
export {
  type BudgetEvents,
  type BudgetExplanation,
  RetryBudget,
  type RetryBudgetOptions,
} from './budget.js'
export { Bulkhead } from './bulkhead.js'
export type {
  BulkheadEvents,
  BulkheadExplanation,
  BulkheadLimits,
  BulkheadOptions,
  BulkheadPermit,
} from './bulkhead-options.js'
export type { CacheEvents, CacheExplanation } from './cache/events.js'
export { Cache } from './cache/index.js'
export type { StoreOperation } from './cache/level.js'
export type { CacheMigration, CacheOptions, CacheTimes } from './cache/options.js'

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
export type { Clock } from './clock.js'
export {
  Coalescer,
  type CoalescerEvents,
  type CoalescerExplanation,
  type CoalescerOptions,
} from './coalesce.js'
export type { CallContext, CallOptions } from './context.js'
export {
  DEADLINE_HEADER,
  type DeadlineFromOptions,
  deadlineFrom,
  deadlineHeader,
  deadlineIn,
} from './deadline.js'
export { type EngineKind, type EngineStats, engineKind, engineStats } from './engine-kind.js'
export {
  type Because,
  CircuitBreakerError,
  DatabaseError,
  OptionError,
  RejectedError,
  type Rejection,
  type RejectionReason,
  SeawallError,
  TimeoutError,
} from './errors.js'
export {
  Fallback,
  type FallbackEvents,
  type FallbackExplanation,
  type FallbackOptions,
  type FallbackTo,
  fallback,
} from './fallback.js'
export type { GateCall, PriorityName } from './gate.js'
export { Hedge, type HedgeEvents, type HedgeExplanation } from './hedge.js'
export type { HedgeBudget, HedgeFollows, HedgeOptions } from './hedge-options.js'
export type { Outcome } from './outcome.js'
export { every, Periodic, type PeriodicOptions, type StopOptions } from './periodic.js'
export {
  Policy,
  type PolicyEvents,
  type PolicyTrial,
  policy,
  type StageDescription,
} from './policy.js'
export {
  type PolicyChaosOptions,
  type PolicyOptions,
  STAGES,
  type Stage,
} from './policy-options.js'
export { PolicyRegistry, type PolicyRegistryOptions } from './policy-registry.js'
export type { PolicyCall } from './policy-run.js'
export type { TrialReport } from './policy-trial.js'
export { Priorities, type PrioritiesExplanation, type PrioritiesOptions } from './priority.js'
export { KeyedRateLimiter, type KeyedRateLimiterOptions } from './rate-keyed.js'
export { type AcquireOptions, RateLimiter } from './rate-limiter.js'
export type {
  RateDecision,
  RateExplanation,
  RateLimiterEvents,
  RateRule,
} from './rate-line.js'
export type { RateCallOptions, RateLimiterOptions } from './rate-options.js'
export { BreakerRegistry, type BreakerRegistryOptions } from './registry.js'
export { createRetryWrapper, tryRetry, withRetry } from './retry.js'
export type { RetryOptions } from './retry-options.js'
export { type Store, type Stored, versionedKey } from './store.js'
export {
  Throttle,
  type ThrottleEvents,
  type ThrottleExplanation,
  type ThrottleOptions,
  type ThrottlePermit,
} from './throttle.js'
export { Timeout, type TimeoutEvents, type TimeoutExplanation } from './timeout.js'
export type { TimeoutFollows, TimeoutMode, TimeoutOptions } from './timeout-options.js'
