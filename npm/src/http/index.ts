export type { CircuitBreaker } from '../breaker/index.js'
export { type ResilientFetch, type ResilientInit, resilientFetch } from './fetch.js'
export {
  seawallInterceptor,
  type UndiciInterceptor,
  type UndiciInterceptorOptions,
} from './interceptor.js'
export type {
  AttemptPolicy,
  HttpCallOptions,
  HttpFailure,
  HttpOptions,
  HttpRetryOptions,
  ResilientFetchOptions,
} from './options.js'
