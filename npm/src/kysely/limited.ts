import { systemClock } from '../clock.js'

/** The longest time runtimes accept; they fire at once for a longer one. */
const LONGEST = 2 ** 31 - 1

/**
 * What `work` comes to, or a rejection with `message` after `ms`. The work is not stopped then.
 * A limit past what timers can count is none.
 */
export async function limited<T>(
  work: () => PromiseLike<T>,
  ms: number,
  message: string,
): Promise<T> {
  if (ms > LONGEST) return work()
  let timer: unknown
  const late = new Promise<never>((_, reject) => {
    timer = systemClock.setTimer(() => reject(new Error(message)), ms)
  })
  try {
    return await Promise.race([work(), late])
  } finally {
    systemClock.clearTimer(timer)
  }
}

/** What was thrown, as text. */
export function messageOf(thrown: unknown): string {
  if (thrown instanceof Error) return thrown.message
  try {
    return String(thrown)
  } catch {
    return 'an error that cannot be printed'
  }
}
