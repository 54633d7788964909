import { systemClock } from '../clock.js'

/** The longest time runtimes accept; they fire at once for a longer one. */
const LONGEST = 2 ** 31 - 1

/**
 * What `work` comes to, or a rejection with `message` after `ms`. The work is not stopped then.
 * A limit past what timers can count is none. `ended` is called when the work itself has ended,
 * before or after.
 */
export async function limited<T>(
  work: () => PromiseLike<T>,
  ms: number,
  message: string,
  ended?: () => void,
): Promise<T> {
  if (ms > LONGEST) return begun(work, ended)
  let timer: unknown
  const late = new Promise<never>((_, reject) => {
    timer = systemClock.setTimer(() => reject(new Error(message)), ms)
  })
  try {
    return await Promise.race([begun(work, ended), late])
  } finally {
    systemClock.clearTimer(timer)
  }
}

/** The work, and a word when it has ended; without one to give, nothing is added to it. */
function begun<T>(work: () => PromiseLike<T>, ended: (() => void) | undefined): PromiseLike<T> {
  if (ended === undefined) return work()
  try {
    const result = work()
    result.then(ended, ended)
    return result
  } catch (error) {
    ended()
    throw error
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
