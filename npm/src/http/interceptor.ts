import { Exchange } from './exchange.js'
import type { Dispatch } from './handler.js'
import { checkHttp, type HttpCallOptions, type HttpOptions } from './options.js'
import { Rules } from './rules.js'

/** What {@link seawallInterceptor} is told. */
export interface UndiciInterceptorOptions extends HttpOptions {}

/** What undici's `dispatcher.compose` takes, with what it leaves to us. */
export interface UndiciInterceptor extends Disposable {
  // biome-ignore lint/suspicious/noExplicitAny: undici's own types differ from version to version, and it is not a dependency.
  (dispatch: any): any
}

/**
 * An interceptor for undici 7 and later that does for `request`, `stream` and undici's `fetch` what
 * {@link resilientFetch} does: the same rules for what is sent again, and a breaker for each origin.
 *
 * An answer that is not wanted never reaches the caller; once one has, nothing is repeated. Time-outs
 * are undici's (`headersTimeout`, `bodyTimeout`). The options of a request may carry `seawall`, as
 * {@link HttpCallOptions}. A body that undici's `fetch` passes on is a stream, and sent once.
 *
 * @example
 * ```ts no_run
 * import { seawallInterceptor } from 'seawall/http'
 * import { Agent, request } from 'undici'
 *
 * const dispatcher = new Agent().compose(seawallInterceptor({ breaker: { threshold: 3 } }))
 * const { statusCode } = await request('https://api.example.com/', { dispatcher })
 * console.log(statusCode)
 * ```
 *
 * @throws OptionError for an option that is unknown, of a wrong type or out of range
 */
export function seawallInterceptor(options: UndiciInterceptorOptions = {}): UndiciInterceptor {
  checkHttp('seawallInterceptor', options)
  const rules = new Rules(options)
  const interceptor = (dispatch: Dispatch): Dispatch => {
    return (given, handler) => {
      // Without an origin undici has something to complain about.
      if (given.origin === undefined || given.origin === null) return dispatch(given, handler)
      return new Exchange(rules, dispatch, given, handler).start()
    }
  }
  return Object.assign(interceptor, { [Symbol.dispose]: () => rules[Symbol.dispose]() })
}

export type { HttpCallOptions }
