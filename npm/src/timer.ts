import { type Clock, systemClock } from './clock.js'

/** The longest time runtimes accept; they fire at once for a longer one. */
const LONGEST = 2 ** 31 - 1

/** One wait of any length; answers how to take it back. */
export function startTimer(clock: Clock, ms: number, fn: () => void, unref = false): () => void {
  let timer: unknown
  const arm = (left: number): void => {
    const span = Math.min(left, LONGEST)
    timer = clock.setTimer(() => (left > span ? arm(left - span) : fn()), span)
    if (unref) (timer as { unref?: () => void } | undefined)?.unref?.()
  }
  arm(ms)
  return () => clock.clearTimer(timer)
}

/** Resolves after `ms`; rejects with the reason of `signal` as soon as that is aborted. */
export function sleep(clock: Clock, ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const abort = (): void => {
      cancel()
      reject(signal?.reason)
    }
    const cancel = startTimer(clock, ms, () => {
      signal?.removeEventListener('abort', abort)
      resolve()
    })
    signal?.addEventListener('abort', abort, { once: true })
  })
}

/**
 * Whether a timer ends with the request that set it, as in Cloudflare Workers: then nobody may wait for
 * the timer of another's call. Every other runtime has timers that belong to nobody. @internal
 */
export function timersEndWithRequest(clock: Clock): boolean {
  return clock === systemClock && globalThis.navigator?.userAgent === 'Cloudflare-Workers'
}
