/** How a call ended, as a value instead of a promise that rejects. */
export type Outcome<T> =
  | {
      /** The call succeeded. */
      readonly ok: true
      /** What it answered. */
      readonly value: T
    }
  | {
      /** The call failed. */
      readonly ok: false
      /** What it threw or rejected with, the same object. */
      readonly error: unknown
    }

/** For `then`: a value as an outcome. @internal */
export const succeeded = <T>(value: T): Outcome<T> => ({ ok: true, value })
/** For `then`: an error as an outcome. @internal */
export const failed = (error: unknown): Outcome<never> => ({ ok: false, error })
