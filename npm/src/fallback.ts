/** An answer in place of a failure. */
import { type Clock, systemClock } from './clock.js'
import { Attempt, type CallContext, type CallOptions } from './context.js'
import { asked, call, Listeners } from './events.js'
import { rejecting } from './gate.js'
import { check } from './options.js'
import type { Outcome } from './outcome.js'

/** When a fallback answers. */
export interface FallbackOptions {
  /** In events and explanations. */
  name?: string | undefined
  /**
   * For which errors. Default every one. A call that its caller aborted is never answered. If it
   * throws, that is reported and the call fails with its own error.
   */
  when?: ((error: unknown) => boolean) | undefined
  /** Told of each failure that is answered. What it throws is reported and changes nothing. */
  onFallback?: ((event: FallbackEvents['fallback']) => void) | undefined
  /** For the deadline that a function sees. Default the runtime's. */
  clock?: Clock | undefined
}

/** What a fallback tells; see {@link Fallback.on}. */
export interface FallbackEvents {
  /** A call failed with `cause` and is answered in its place. */
  fallback: { cause: unknown; name: string | undefined }
  /** A call failed with `cause`, and so did its answer with `error`. */
  failed: { cause: unknown; error: unknown; name: string | undefined }
}

/** What a fallback has done; see {@link Fallback.explain}. */
export interface FallbackExplanation {
  name: string | undefined
  /** Failures that were answered, those that were not, and those whose answer failed. */
  answered: number
  passed: number
  failed: number
}

/** The answer, or what makes it of the error. */
export type FallbackTo<F> = F | ((error: unknown) => PromiseLike<F> | F)

let recoverOf: <F>(fallback: Fallback<F>, error: unknown, aborted: boolean) => PromiseLike<F> | F

/**
 * Answers calls that failed.
 *
 * The error is in the event. If the answer itself fails, the call fails with what that threw, and
 * the first error is its `cause` where it has none.
 *
 * @example
 * ```ts
 * import { Fallback } from 'seawall'
 *
 * const rates = new Fallback({ eur: 1 }, { onFallback: ({ cause }) => console.error(cause) })
 * const answer = await rates.execute(async () => {
 *   throw new Error('no connection')
 * })
 * console.log(answer) // { eur: 1 }
 * ```
 */
export class Fallback<F> implements Disposable {
  /** Its name, if it was given one. */
  readonly name: string | undefined
  readonly #to: FallbackTo<F>
  readonly #when: ((error: unknown) => boolean) | undefined
  readonly #onFallback: FallbackOptions['onFallback']
  readonly #clock: Clock
  #listeners: Listeners<FallbackEvents> | undefined
  #answered = 0
  #passed = 0
  #failed = 0
  /** For calls without a signal. Made once. */
  readonly #recover = (error: unknown): PromiseLike<F> | F => this.#answer(error)

  /**
   * @param to - the answer, or a function that makes it of the error
   * @throws OptionError for an option that is unknown or of a wrong type
   */
  constructor(to: FallbackTo<F>, options: FallbackOptions = {}) {
    check('Fallback', options, {
      name: 'string',
      when: 'function',
      onFallback: 'function',
      clock: 'object',
    })
    this.#to = to
    this.name = options.name
    this.#when = options.when
    this.#onFallback = options.onFallback
    this.#clock = options.clock ?? systemClock
  }

  /**
   * What `fn` answers, or the fallback's answer if it fails. `fn` is called at once.
   *
   * @throws the error of `fn` that is not answered, or what the answer threw
   */
  execute<T>(
    fn: (context: CallContext) => PromiseLike<T> | T,
    options?: CallOptions,
  ): Promise<T | F> {
    const signal = options?.signal
    if (signal?.aborted) return rejecting(signal.reason)
    const attempt = new Attempt(1, options?.deadline, signal, this.#clock)
    let result: PromiseLike<T> | T
    try {
      result = fn(attempt)
    } catch (error) {
      result = Promise.reject(error)
    }
    const promise = Promise.resolve(result)
    if (signal === undefined) return promise.then(undefined, this.#recover)
    return promise.then(
      value => {
        attempt.close()
        return value
      },
      error => {
        attempt.close()
        return recover(this, error, signal)
      },
    )
  }

  /** Like {@link execute}, but answers a result instead of rejecting. */
  tryExecute<T>(
    fn: (context: CallContext) => PromiseLike<T> | T,
    options?: CallOptions,
  ): Promise<Outcome<T | F>> {
    return this.execute(fn, options).then(
      value => ({ ok: true, value }),
      error => ({ ok: false, error }),
    )
  }

  /** What it has done. */
  explain(): FallbackExplanation {
    const { name } = this
    return { name, answered: this.#answered, passed: this.#passed, failed: this.#failed }
  }

  /** Calls `listener` at each such event until the function returned is called. */
  on<E extends keyof FallbackEvents>(
    event: E,
    listener: (detail: FallbackEvents[E]) => void,
  ): () => void {
    this.#listeners ??= new Listeners('Fallback')
    return this.#listeners.add(event, listener)
  }

  /** Lets go of the listeners; it holds nothing else. */
  [Symbol.dispose](): void {
    this.#listeners = undefined
  }

  static {
    recoverOf = (fallback, error, aborted) => {
      if (!aborted) return fallback.#answer(error)
      fallback.#passed++
      throw error
    }
  }

  #answer(cause: unknown): PromiseLike<F> | F {
    if (!this.#wants(cause)) {
      this.#passed++
      throw cause
    }
    const { name } = this
    const event = { cause, name }
    const told = this.#onFallback
    if (told) call(() => told(event), 'Fallback: onFallback')
    this.#listeners?.emit('fallback', event)
    const to = this.#to
    if (typeof to !== 'function') {
      this.#answered++
      return to
    }
    return this.#made(to as (error: unknown) => PromiseLike<F> | F, cause)
  }

  async #made(to: (error: unknown) => PromiseLike<F> | F, cause: unknown): Promise<F> {
    try {
      const answer = await to(cause)
      this.#answered++
      return answer
    } catch (error) {
      this.#failed++
      attach(error, cause)
      this.#listeners?.emit('failed', { cause, error, name: this.name })
      throw error
    }
  }

  #wants(error: unknown): boolean {
    const when = this.#when
    return when === undefined || Boolean(asked(() => when(error), false, 'Fallback: when'))
  }
}

/** The answer to a failure, for pipelines; throws what is not answered. @internal */
export function recover<F>(
  fallback: Fallback<F>,
  error: unknown,
  signal: AbortSignal | undefined,
): PromiseLike<F> | F {
  return recoverOf(fallback, error, signal?.aborted === true)
}

/** The first error as the cause of the second, unless that is the first or has a cause. */
function attach(error: unknown, cause: unknown): void {
  try {
    if (!(error instanceof Error) || error === cause || error.cause !== undefined) return
    Object.defineProperty(error, 'cause', { value: cause, configurable: true, writable: true })
  } catch {
    // An error that is frozen or cannot be read stays as it is; the event has both.
  }
}

/** What `fn` answers, or {@link Fallback}'s answer if it fails. */
export function fallback<T, F>(
  fn: (context: CallContext) => PromiseLike<T> | T,
  to: FallbackTo<F>,
  options?: FallbackOptions & CallOptions,
): Promise<T | F> {
  if (options === undefined) return new Fallback(to).execute(fn)
  const { signal, deadline, ...own } = options
  return new Fallback(to, own).execute(fn, { signal, deadline })
}
