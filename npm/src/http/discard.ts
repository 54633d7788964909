import type { Clock } from '../clock.js'
import { startTimer } from '../timer.js'

/** What is read of an answer that nobody wants so that its connection can be used again. */
export const DRAINED_BYTES = 65_536
/** For how long, in ms. */
export const DRAINED_MS = 1000

/**
 * Lets go of an answer that nobody will read: reads a short rest, so that the connection is free
 * for the next request, and cancels a long or slow one. Never throws; goes on in the background.
 */
export function discard(response: Response, clock: Clock): void {
  const { body } = response
  if (!body || body.locked) return
  const length = Number(response.headers.get('content-length') ?? 0)
  const reader = body.getReader()
  const cancel = (): void => {
    reader.cancel().catch(() => {})
  }
  if (length > DRAINED_BYTES) {
    cancel()
    return
  }
  const stop = startTimer(clock, DRAINED_MS, cancel, true)
  const next = (bytes: number): Promise<void> =>
    reader.read().then(({ done, value }) => {
      const total = bytes + (value?.byteLength ?? 0)
      if (done) return
      if (total > DRAINED_BYTES) return cancel()
      return next(total)
    })
  next(0).then(stop, stop)
}
