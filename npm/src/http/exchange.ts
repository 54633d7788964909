import { TimeoutError } from '../errors.js'
import { startTimer } from '../timer.js'
import { isReplayable } from './body.js'
import { DRAINED_BYTES, DRAINED_MS } from './discard.js'
import {
  type Controller,
  type Dispatch,
  type DispatchOptions,
  type Handler,
  headerIn,
  Reins,
  withHeader,
} from './handler.js'
import { type Asked, type Entered, type Rules, Try } from './rules.js'

/** How one attempt of an exchange ended: its answer is being passed on, held back, or it failed. */
class Dispatched extends Try {
  /** Passes on an answer that was held back. */
  forward: (() => void) | undefined
}

/** One request of the caller's, and the attempts at it. */
export class Exchange implements Asked {
  readonly method: string
  readonly flags: number
  readonly signal: AbortSignal
  readonly deadline: number
  readonly #rules: Rules
  readonly #dispatch: Dispatch
  readonly #options: DispatchOptions
  readonly #handler: Handler
  readonly #origin: string
  readonly #reins = new Reins()
  #isOn = true

  constructor(rules: Rules, dispatch: Dispatch, options: DispatchOptions, handler: Handler) {
    const { method, seawall = {} } = options
    const origin = originOf(options.origin)
    const url = `${origin}${options.path}`
    const key = headerIn(options.headers, rules.keyHeader) ? undefined : rules.keyFor(method, url)
    const headers =
      key === undefined ? options.headers : withHeader(options.headers, rules.keyHeader, key)
    const header = (name: string): string | undefined => headerIn(headers, name)
    this.method = method
    this.flags = rules.flags(origin, seawall.idempotent, header, isReplayable(options.body))
    this.signal = this.#reins.signal
    this.deadline = seawall.deadline ?? Number.POSITIVE_INFINITY
    this.#rules = rules
    this.#dispatch = dispatch
    this.#options = { ...options, headers }
    this.#handler = handler
    this.#origin = origin
  }

  /** Makes the first attempt at once; answers what undici answers to it. */
  start(): boolean {
    this.#rules
      .run(this, number => this.#attempt(number))
      .then(end => {
        if (end.forward) end.forward()
        else if (end.status === 0) throw end.error
      })
      .catch(error => this.#handler.onResponseError?.(this.#reins, error))
    return this.#isOn
  }

  async #attempt(number: number): Promise<Dispatched> {
    const at = { attempt: number, method: this.method, url: this.#origin + this.#options.path }
    const left = this.deadline - this.#rules.clock.now()
    if (left <= 0) return new Dispatched(at, 0, undefined, new TimeoutError('No time is left', 0))
    const entered = this.#rules.enter(this.#origin)
    if (entered instanceof Error) throw entered
    const told = this.#rules.deadlineHeader(this.deadline)
    const options = told
      ? { ...this.#options, headers: withHeader(this.#options.headers, ...told) }
      : this.#options
    return new Promise(resolve => {
      const hands = { rules: this.#rules, asked: this, entered, at, reins: this.#reins }
      const attempt = new AttemptHandler(hands, this.#handler, resolve)
      try {
        this.#isOn = this.#dispatch(options, attempt)
      } catch (error) {
        attempt.onResponseError(undefined, error)
      }
    })
  }
}

interface Hands {
  readonly rules: Rules
  readonly asked: Asked
  readonly entered: Entered
  readonly at: { attempt: number; method: string; url: string }
  readonly reins: Reins
}

/** Stands between undici and the caller's handler for one attempt. */
class AttemptHandler implements Handler {
  readonly #hands: Hands
  readonly #handler: Handler
  readonly #resolve: (end: Dispatched) => void
  /** Whether the answer is on its way to the caller, held back until it is decided, or unwanted. */
  #state: 'none' | 'passed' | 'held' | 'unwanted' | 'failed' = 'none'
  #heldError: [unknown] | undefined
  #bytes = 0
  #stop: (() => void) | undefined

  constructor(hands: Hands, handler: Handler, resolve: (end: Dispatched) => void) {
    this.#hands = hands
    this.#handler = handler
    this.#resolve = resolve
  }

  onRequestStart(controller: Controller, context: unknown): void {
    const { reins, at } = this.#hands
    reins.take(controller)
    if (at.attempt === 1) this.#handler.onRequestStart?.(reins, context)
  }

  onRequestUpgrade(_: Controller, status: number, headers: unknown, socket: unknown): void {
    this.#end(status, headers, undefined)
    this.#state = 'passed'
    this.#handler.onRequestUpgrade?.(this.#hands.reins, status, headers, socket)
  }

  onResponseStart(
    controller: Controller,
    status: number,
    headers: Record<string, string | string[]>,
    message?: string,
  ): void {
    const { reins } = this.#hands
    const pass = (): void => {
      this.#state = 'passed'
      this.#handler.onResponseStart?.(reins, status, headers, message)
    }
    // Not yet the answer: hints, and leave to go on.
    if (status < 200) {
      this.#handler.onResponseStart?.(reins, status, headers, message)
      return
    }
    const end = this.#end(status, headers, undefined, false)
    if (!end.repeat) {
      pass()
      this.#resolve(end)
      return
    }
    this.#state = 'held'
    controller.pause()
    end.forward = () => {
      pass()
      if (this.#heldError) this.#handler.onResponseError?.(reins, this.#heldError[0])
      else reins.follow()
    }
    end.discard = () => this.#discard(controller, headers)
    this.#resolve(end)
  }

  onResponseData(controller: Controller, chunk: Uint8Array): void {
    if (this.#state !== 'unwanted') {
      this.#handler.onResponseData?.(this.#hands.reins, chunk)
      return
    }
    this.#bytes += chunk.byteLength
    if (this.#bytes > DRAINED_BYTES) controller.abort(unwanted())
  }

  onResponseEnd(_: Controller, trailers: unknown): void {
    this.#stop?.()
    if (this.#state !== 'unwanted') this.#handler.onResponseEnd?.(this.#hands.reins, trailers)
  }

  onResponseError(_: Controller | undefined, error: unknown): void {
    this.#stop?.()
    if (this.#state === 'passed') this.#handler.onResponseError?.(this.#hands.reins, error)
    else if (this.#state === 'held') this.#heldError = [error]
    else if (this.#state === 'none') {
      this.#state = 'failed'
      this.#end(0, undefined, error)
    }
  }

  onResponseStarted(): void {
    this.#handler.onResponseStarted?.()
  }

  onBodySent(chunk: unknown): void {
    this.#handler.onBodySent?.(chunk)
  }

  onRequestSent(): void {
    this.#handler.onRequestSent?.()
  }

  #end(status: number, headers: unknown, error: unknown, settle = true): Dispatched {
    const { rules, asked, entered, at } = this.#hands
    const end = new Dispatched(at, status, headers, error)
    rules.end(entered, asked, end, error ?? end)
    if (settle) this.#resolve(end)
    return end
  }

  /** Reads a short rest, so that the connection is free for the next attempt. */
  #discard(controller: Controller, headers: Record<string, string | string[]>): void {
    this.#state = 'unwanted'
    if (this.#heldError) return
    const abort = (): void => controller.abort(unwanted())
    if (Number(headers['content-length'] ?? 0) > DRAINED_BYTES) {
      abort()
      return
    }
    this.#stop = startTimer(this.#hands.rules.clock, DRAINED_MS, abort, true)
    controller.resume()
  }
}

function unwanted(): Error {
  return new Error('The answer is not wanted: the request is sent again')
}

function originOf(origin: DispatchOptions['origin']): string {
  const text = String(origin)
  return URL.canParse(text) ? new URL(text).origin : text
}
