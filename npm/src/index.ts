export { engine } from './engine/index.js'
export { CircuitBreaker } from './breaker.js'
