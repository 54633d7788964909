/** undici's protocol between a dispatcher and a handler, as far as it is used here. */
import type { HttpCallOptions } from './options.js'

export interface DispatchOptions {
  origin?: string | URL | null
  path: string
  method: string
  headers?: unknown
  body?: unknown
  seawall?: HttpCallOptions
}

export interface Controller {
  readonly aborted: boolean
  readonly paused: boolean
  readonly reason: Error | null
  rawHeaders?: unknown
  rawTrailers?: unknown
  abort(reason: unknown): void
  pause(): void
  resume(): void
}

export interface Handler {
  onRequestStart?(controller: Controller, context: unknown): void
  onRequestUpgrade?(controller: Controller, status: number, headers: unknown, socket: unknown): void
  onResponseStart?(
    controller: Controller,
    status: number,
    headers: Record<string, string | string[]>,
    message?: string,
  ): void
  onResponseData?(controller: Controller, chunk: Uint8Array): void
  onResponseEnd?(controller: Controller, trailers: unknown): void
  onResponseError?(controller: Controller, error: unknown): void
  onResponseStarted?(): void
  onBodySent?(chunk: unknown): void
  onRequestSent?(): void
}

export type Dispatch = (options: DispatchOptions, handler: Handler) => boolean

/**
 * What the handler of the caller holds on to. Each attempt has a controller of its own; this one
 * stays, and passes on what is asked of it to the present one.
 */
export class Reins implements Controller {
  readonly #abort = new AbortController()
  #paused = false
  #target: Controller | undefined

  /** Aborted when the caller aborts, also while nothing is under way. */
  get signal(): AbortSignal {
    return this.#abort.signal
  }

  /** Takes over the controller of an attempt. */
  take(target: Controller): void {
    this.#target = target
    if (this.aborted) target.abort(this.signal.reason)
  }

  /** Lets the caller's wish to pause reach the present attempt. */
  follow(): void {
    if (this.#paused) this.#target?.pause()
    else this.#target?.resume()
  }

  pause(): void {
    this.#paused = true
    this.#target?.pause()
  }

  resume(): void {
    this.#paused = false
    this.#target?.resume()
  }

  abort(reason: unknown): void {
    this.#abort.abort(reason)
    this.#target?.abort(reason)
  }

  get paused(): boolean {
    return this.#paused || (this.#target?.paused ?? false)
  }

  get aborted(): boolean {
    return this.signal.aborted
  }

  get reason(): Error | null {
    return this.aborted ? this.signal.reason : (this.#target?.reason ?? null)
  }

  get rawHeaders(): unknown {
    return this.#target?.rawHeaders ?? null
  }

  set rawHeaders(value: unknown) {
    if (this.#target) this.#target.rawHeaders = value
  }

  get rawTrailers(): unknown {
    return this.#target?.rawTrailers ?? null
  }

  set rawTrailers(value: unknown) {
    if (this.#target) this.#target.rawTrailers = value
  }
}

/** The value of a header in any form that undici takes them in. */
export function headerIn(headers: unknown, name: string): string | undefined {
  for (const [key, value] of pairs(headers)) {
    if (key.toLowerCase() === name) return String(Array.isArray(value) ? value[0] : value)
  }
  return undefined
}

/** The headers with one more, in a form that undici takes. */
export function withHeader(headers: unknown, name: string, value: string): string[] {
  const list = pairs(headers).filter(([key]) => key.toLowerCase() !== name.toLowerCase())
  const flat = list.flatMap(([key, it]) =>
    Array.isArray(it) ? it.flatMap(one => [key, String(one)]) : [key, String(it)],
  )
  return [...flat, name, value]
}

/** Names and values: of an object, of a flat list, or of what gives pairs. */
function pairs(headers: unknown): [string, unknown][] {
  if (typeof headers !== 'object' || headers === null) return []
  if (Array.isArray(headers)) {
    if (Array.isArray(headers[0])) return headers
    return Array.from({ length: headers.length >> 1 }, (_, i) => [
      String(headers[2 * i]),
      headers[2 * i + 1],
    ])
  }
  if (Symbol.iterator in headers) return Array.from(headers as Iterable<[string, unknown]>)
  return Object.entries(headers).filter(([, value]) => value !== undefined)
}
