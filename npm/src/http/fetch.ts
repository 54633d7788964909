/**
 * `fetch` that repeats what may be repeated, past what is down. Which request may be sent again,
 * what an answer means and whose turn it is are the engine's decisions; this file sends requests,
 * keeps time and passes aborts on.
 */
import type { CircuitBreaker } from '../breaker/index.js'
import type { BreakerExplanation } from '../breaker/report.js'
import type { CallContext } from '../context.js'
import {
  CircuitBreakerError,
  describe,
  OptionError,
  RejectedError,
  type SeawallError,
  TimeoutError,
} from '../errors.js'
import { FAILURE, NEUTRAL } from '../gate.js'
import { type Policy, policy } from '../policy.js'
import { startTimer } from '../timer.js'
import { isReplayable, isStream } from './body.js'
import { discard } from './discard.js'
import { Link } from './link.js'
import { checkHttp, type HttpCallOptions, type ResilientFetchOptions } from './options.js'
import { type Asked, KEY, Rules, Try } from './rules.js'
import { type Target, Targets } from './targets.js'

type Body = RequestInit['body']

/** The `init` of `fetch`, with two more things that may be said. */
export interface ResilientInit extends Omit<RequestInit, 'body'> {
  /** As `fetch` takes it, or a function that makes it anew for each attempt, such as a stream. */
  body?: Body | (() => Body | Promise<Body>)
  /** What is said about this request alone. */
  seawall?: HttpCallOptions | undefined
}

/** What {@link resilientFetch} answers: a `fetch`, and a look at what it knows. */
export interface ResilientFetch extends Disposable {
  (input: string | URL | Request, init?: ResilientInit): Promise<Response>
  /** The breaker of an origin (`https://api.example.com`), made if there is none. */
  breaker(origin: string): CircuitBreaker
  /** The origins it remembers, and why the breaker of each is as it is. */
  explain(): Record<string, BreakerExplanation>
}

/**
 * A `fetch` that sends a request again where that is safe, and not at all where the other side is
 * down.
 *
 * Repeated is what may pass (a reset connection, a 503, a 429 with its `Retry-After`), with a
 * method that may be carried out twice, or surely was not carried out at all; a POST with an
 * idempotency key counts as such, a PUT with `If-Match` too. Only bodies that can be sent again
 * are: strings, buffers, forms, blobs, and functions that make a stream. Each origin has a breaker
 * of its own. The last answer is what the caller gets, whatever its status, and its body is the
 * caller's: no time-out ends it, the caller's `signal` does.
 *
 * @example
 * ```ts no_run
 * import { resilientFetch } from 'seawall/http'
 *
 * const fetch = resilientFetch({ timeoutMs: 2000, retry: { maxAttempts: 4 }, idempotencyKey: true })
 * const answer = await fetch('https://api.example.com/orders', {
 *   method: 'POST',
 *   body: JSON.stringify({ item: 7 }),
 * })
 * console.log(answer.status)
 * ```
 *
 * @throws OptionError for an option that is unknown, of a wrong type or out of range
 */
export function resilientFetch(options: ResilientFetchOptions = {}): ResilientFetch {
  const client = new Client(options)
  const fetch = (input: string | URL | Request, init?: ResilientInit): Promise<Response> =>
    client.fetch(input, init)
  return Object.assign(fetch, {
    breaker: (origin: string) => client.rules.breakers.get(origin),
    explain: () => {
      const breakers = Array.from(client.rules.breakers, ([key, it]) => [key, it.explain()])
      return Object.fromEntries(breakers)
    },
    [Symbol.dispose]: () => client[Symbol.dispose](),
  })
}

/** What passes the caller's abort on to the body of an answer. */
const links = new WeakMap<Response, Link>()

/** How one attempt with `fetch` ended. */
class Sent extends Try {
  /** Not called `response`: the classification of errors would look into that. */
  answer: Response | undefined
}

/** One call of the caller's. */
interface Call extends Asked {
  readonly input: string | URL | Request
  readonly init: ResilientInit
  readonly url: URL
  readonly headers: Headers | undefined
  /** The instances it has gone to. */
  readonly tried: number[]
}

class Client {
  readonly rules: Rules
  readonly #targets: Targets
  readonly #options: ResilientFetchOptions
  readonly #policies = new Map<string, Shared>()
  readonly #timeoutMs: number
  readonly #deadlineMs: number

  constructor(options: ResilientFetchOptions) {
    checkHttp('resilientFetch', options)
    this.#options = { ...options }
    this.#timeoutMs = limit('timeoutMs', options.timeoutMs, 30_000) || Number.POSITIVE_INFINITY
    this.#deadlineMs = limit('deadlineMs', options.deadlineMs, 0) || Number.POSITIVE_INFINITY
    this.rules = new Rules(options, origin => this.#forget(origin))
    this.#targets = new Targets(this.rules, options.instances)
    // Bad options are found here rather than at the first call.
    if (typeof options.policy === 'object') policy(options.policy)[Symbol.dispose]()
  }

  async fetch(input: string | URL | Request, init: ResilientInit = {}): Promise<Response> {
    const url = this.#parse(input)
    // What has no server, and what `fetch` itself has to complain about.
    if (url === undefined || url.origin === 'null') return this.#send(input, init as RequestInit)
    const call = this.#call(input, init, url)
    if (call.signal?.aborted) throw call.signal.reason
    const end = await this.rules.run(call, number => this.#attempt(call, number))
    if (end.answer) return end.answer
    throw end.error
  }

  [Symbol.dispose](): void {
    this.rules[Symbol.dispose]()
    this.#targets[Symbol.dispose]()
    for (const { policy: own } of this.#policies.values()) own[Symbol.dispose]()
    this.#policies.clear()
  }

  #parse(input: string | URL | Request): URL | undefined {
    const text = isRequest(input) ? input.url : String(input)
    const base = this.#targets.base ?? (globalThis as { location?: { href: string } }).location
    return URL.canParse(text, base?.href) ? new URL(text, base?.href) : undefined
  }

  #call(input: string | URL | Request, init: ResilientInit, url: URL): Call {
    const { rules } = this
    const request = isRequest(input) ? input : undefined
    const method = init.method ?? request?.method ?? 'GET'
    const origin = this.#targets.originOf(url)
    const given = init.headers ?? request?.headers
    const headers = given === undefined ? new Headers() : new Headers(given)
    const key = headers.has(rules.keyHeader) ? undefined : rules.keyFor(method, url.href)
    if (key !== undefined) headers.set(rules.keyHeader, key)
    const replayable =
      init.body === undefined
        ? !request?.body || this.#options.cloneRequests === true
        : isReplayable(init.body)
    const { idempotent, deadline = Number.POSITIVE_INFINITY } = init.seawall ?? {}
    const flags = rules.flags(origin, idempotent, name => headers.get(name), replayable)
    const { deadlineHeader } = this.#options
    return {
      input,
      init,
      url,
      method,
      flags,
      headers: (flags & KEY) !== 0 || deadlineHeader !== undefined ? headers : undefined,
      signal: init.signal === undefined ? request?.signal : (init.signal ?? undefined),
      deadline: Math.min(deadline, rules.clock.now() + this.#deadlineMs),
      tried: [],
    }
  }

  async #attempt(call: Call, number: number): Promise<Sent> {
    const left = call.deadline - this.rules.clock.now()
    const at = { attempt: number, method: call.method, url: call.url.href }
    if (left <= 0)
      return new Sent(
        at,
        0,
        undefined,
        late(Number.isFinite(this.#deadlineMs) ? this.#deadlineMs : 0),
      )
    const target = this.#targets.enter(call.url, call.tried)
    if (target instanceof Error) throw target
    const end = await this.#through(call, target, number)
    const outcome = this.rules.end(target, call, end, end.answer ?? end.error)
    if (target.index >= 0 && (end.repeat || outcome === FAILURE)) {
      if (outcome === FAILURE) this.#targets.failed(target.index)
      call.tried.push(target.index)
      end.failover = end.repeat && this.#targets.hasOther(call.tried)
    }
    return end
  }

  /** One attempt behind the policy of its origin. */
  async #through(call: Call, target: Target, attempt: number): Promise<Sent> {
    const at = { attempt, method: call.method, url: target.url }
    const { signal, deadline } = call
    let shared: Shared | undefined
    try {
      shared = this.#policy(target.origin)
    } catch (error) {
      target.gate.leave(target.ticket, NEUTRAL)
      throw error
    }
    if (shared) shared.users++
    try {
      const response = await (shared
        ? shared.policy.execute(context => this.#timed(call, target, context), {
            signal,
            deadline: deadline === Number.POSITIVE_INFINITY ? undefined : deadline,
            ...(call.init.seawall?.idempotent !== undefined && {
              idempotent: call.init.seawall.idempotent,
            }),
          })
        : this.#timed(call, target, undefined))
      const end = new Sent(at, response.status, response.headers, undefined)
      end.answer = response
      end.discard = () => {
        links.get(response)?.close()
        discard(response, this.rules.clock)
      }
      return end
    } catch (error) {
      if (error instanceof RejectedError || error instanceof CircuitBreakerError) {
        target.gate.leave(target.ticket, NEUTRAL)
        throw error
      }
      if (error instanceof BodyFailure) {
        target.gate.leave(target.ticket, NEUTRAL)
        throw error.cause
      }
      return new Sent(at, 0, undefined, error)
    } finally {
      if (shared) {
        shared.users--
        dropUnused(shared)
      }
    }
  }

  /** Sends one attempt, for as long as it may take until its headers are there. */
  async #timed(call: Call, target: Target, context: CallContext | undefined): Promise<Response> {
    const { clock } = this.rules
    const left = call.deadline - clock.now()
    const ms = Math.min(this.#timeoutMs, left)
    const headers = call.headers && new Headers(call.headers)
    const told = this.rules.deadlineHeader(clock.now() + ms)
    if (told) headers?.set(...told)
    const { body: given, seawall: _, ...rest } = call.init
    return new Promise((resolve, reject) => {
      let open = true
      let stop: (() => void) | undefined
      const end = (settle: () => void): void => {
        open = false
        stop?.()
        settle()
      }
      const link = new Link([call.signal, context?.signal], reason => end(() => reject(reason)))
      if (!open) return
      if (ms !== Number.POSITIVE_INFINITY) {
        stop = startTimer(clock, ms, () => link.abort(late(Math.ceil(ms))))
      }
      const send = async (body: Body | undefined): Promise<Response | undefined> => {
        if (!open) return abandon(body)
        const init: RequestInit & { duplex?: 'half' } = {
          ...(rest as RequestInit),
          ...(headers && { headers }),
          ...(body !== undefined && { body }),
          ...(isStream(body) && { duplex: 'half' }),
          signal: link.signal,
        }
        return this.#send(this.#input(call, target), init)
      }
      const sent = typeof given === 'function' ? made(given).then(send) : send(given)
      sent
        .then(response => {
          if (!open) return response && discard(response, clock)
          if (typeof response !== 'object' || response === null) {
            throw new TypeError(`\`fetch\` answered ${describe(response)}, which is no Response`)
          }
          link.hold(response.body ?? null)
          links.set(response, link)
          end(() => resolve(response))
        })
        .catch(error => {
          if (!open) return
          link.close()
          end(() => reject(error))
        })
    })
  }

  /** What is passed to `fetch`: as the caller gave it, at the address of the target. */
  #input({ input, init }: Call, target: Target): string | Request {
    if (!isRequest(input)) return target.url
    const copy = this.#options.cloneRequests && init.body === undefined ? input.clone() : input
    return target.index < 0 ? copy : new Request(target.url, copy)
  }

  async #send(input: string | URL | Request, init: RequestInit): Promise<Response> {
    return (this.#options.fetch ?? globalThis.fetch)(input, init)
  }

  #policy(origin: string): Shared | undefined {
    const { policy: given, clock } = this.#options
    if (given === undefined) return undefined
    let shared = this.#policies.get(origin)
    if (!shared) {
      const own = policy({ clock, ...(typeof given === 'function' ? given(origin) : given) })
      shared = { policy: own, users: 0, isForgotten: false }
      this.#policies.set(origin, shared)
    }
    return shared
  }

  /** Lets the policy of an origin go, once those who wait in it have gone. */
  #forget(origin: string): void {
    const shared = this.#policies.get(origin)
    if (!shared) return
    this.#policies.delete(origin)
    shared.isForgotten = true
    dropUnused(shared)
  }
}

/** The policy of an origin, and how many attempts are in it. */
interface Shared {
  readonly policy: Policy
  users: number
  isForgotten: boolean
}

function dropUnused({ policy: own, users, isForgotten }: Shared): void {
  if (isForgotten && users === 0) own[Symbol.dispose]()
}

/** The caller's function for the body failed: nobody else's affair. */
class BodyFailure extends Error {}

/** Lets go of a body that nobody will send any more. */
function abandon(body: Body | undefined): undefined {
  if (body instanceof ReadableStream) body.cancel().catch(() => {})
  else (body as { destroy?: () => void } | null | undefined)?.destroy?.()
}

async function made(body: () => Body | Promise<Body>): Promise<Body> {
  try {
    return await body()
  } catch (cause) {
    throw new BodyFailure('The body could not be made', { cause })
  }
}

/** A time of at least 0, `otherwise` where there is none. */
function limit(option: string, ms: number | undefined, otherwise: number): number {
  if (ms === undefined) return otherwise
  if (ms >= 0) return ms
  throw new OptionError(
    `resilientFetch: \`${option}\` must be a number of at least 0, got ${ms}`,
    option,
  )
}

function late(ms: number): SeawallError {
  return new TimeoutError(`No answer within ${ms} ms`, ms)
}

/** Also one of another `fetch`, whose class is not the global one. */
function isRequest(input: unknown): input is Request {
  return Object.prototype.toString.call(input) === '[object Request]'
}
