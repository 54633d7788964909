// What scenarios need to look at results, in any runtime.

/** @throws an error that says what was otherwise. */
export function is(actual, expected, what) {
  if (Object.is(actual, expected)) return
  throw new Error(`${what}: ${String(actual)} in place of ${String(expected)}`)
}

/** @throws an error if it does not hold. */
export function holds(condition, what) {
  if (!condition) throw new Error(what)
}

/** What a promise or a function fails with, which must have this code. */
export async function refused(act, code) {
  let value
  try {
    value = await (typeof act === 'function' ? act() : act)
  } catch (error) {
    is(error?.code, code, `the code of "${error?.message}"`)
    return error
  }
  throw new Error(`${code} was expected, and it answered ${String(value)}`)
}

/** By the timers of this runtime. */
export const pause = ms => new Promise(resolve => setTimeout(resolve, ms))

export const failure = (code = 'ECONNREFUSED') => Object.assign(new Error('down'), { code })

/** Ends as late as it is aborted, and then with the reason. */
export function hanging({ signal }) {
  return new Promise((_, reject) =>
    signal.addEventListener('abort', () => reject(signal.reason), { once: true }),
  )
}
