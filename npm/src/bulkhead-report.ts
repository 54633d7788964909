import type { BulkheadExplanation } from './bulkhead-options.js'

const OUTLOOKS = ['admit', 'queue', 'refuse'] as const

/** The numbers of `Explanation::to_numbers` in `core/src/limit/bulkhead` as an explanation. @internal */
export function explanation(numbers: readonly number[]): BulkheadExplanation {
  const [
    maxConcurrent = 0,
    maxQueue = 0,
    queueTimeoutMs = -1,
    running = 0,
    queued = 0,
    ,
    outlook = 0,
    oldestWaitMs = -1,
    expiresInMs = -1,
    ...totals
  ] = numbers
  const [waited = 0, admitted = 0, full = 0, priority = 0, queueTimeout = 0, aborted = 0] = totals
  return {
    outlook: OUTLOOKS[outlook] ?? 'admit',
    running,
    queued,
    maxConcurrent,
    maxQueue,
    queueTimeoutMs: time(queueTimeoutMs),
    oldestWaitMs: time(oldestWaitMs),
    expiresInMs: time(expiresInMs),
    totals: { queued: waited, admitted, full, priority, queueTimeout, aborted },
  }
}

function time(ms: number): number | undefined {
  return ms < 0 ? undefined : ms
}
