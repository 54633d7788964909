/** What a failure means. */
export interface Verdict {
  transient: boolean
  processed: 'no' | 'maybe' | 'yes'
  scope: 'request' | 'statement' | 'transaction' | 'connection'
  throttled: boolean
  retryAfterMs?: number
}

const CODES: Record<string, Verdict['processed']> = {
  ECONNREFUSED: 'no',
  ETIMEDOUT: 'maybe',
  ECONNRESET: 'maybe',
  EPIPE: 'maybe',
  '40001': 'no',
}

/** The meaning of `error`, or undefined if nobody knows. */
export function classify(error: unknown): Verdict | undefined {
  if (typeof error !== 'object' || error === null) return undefined
  const { code, retryAfterMs } = error as { code?: unknown; retryAfterMs?: number }
  const processed = CODES[String(code)]
  if (processed === undefined && retryAfterMs === undefined) return undefined
  const verdict: Verdict = { transient: true, processed: processed ?? 'no', scope: 'request', throttled: false }
  if (retryAfterMs !== undefined) verdict.retryAfterMs = retryAfterMs
  return verdict
}

/** Whether the same request may succeed later. */
export function isTransientError(error: unknown): boolean {
  return classify(error)?.transient ?? false
}
