import { Handles } from '../engine/handles.js'
import { policyEngine } from '../engine/policies/index.js'
import { OptionError, type SeawallError } from '../errors.js'
import type { Entered, Rules } from './rules.js'

/** Where one attempt goes. */
export interface Target extends Entered {
  /** Scheme, host and port: whose breaker it is. */
  readonly origin: string
  readonly url: string
  /** Which of several instances, -1 if there is one alone. */
  readonly index: number
}

const handles = new Handles(handle => policyEngine().instancesFree(handle))

/** Where requests go: to the origin they name, or to the instances in turn. */
export class Targets {
  readonly #rules: Rules
  readonly #instances: readonly URL[] | undefined
  #handle = -1

  /** @throws OptionError */
  constructor(rules: Rules, instances: readonly string[] | undefined) {
    this.#rules = rules
    if (instances === undefined) return
    this.#instances = Array.from(instances, parse)
    if (this.#instances.length === 0) {
      throw new OptionError('resilientFetch: `instances` must not be empty', 'instances')
    }
    this.#handle = policyEngine().instancesNew(this.#instances.length)
    handles.watch(this, this.#handle)
  }

  /** The base of relative addresses, if there is one. */
  get base(): URL | undefined {
    return this.#instances?.[0]
  }

  /** The origin of a request for `url`, the first that is asked. */
  originOf(url: URL): string {
    return this.#instances?.[0]?.origin ?? url.origin
  }

  /** Where the next attempt at `url` goes, or why it goes nowhere. */
  enter(url: URL, tried: readonly number[]): Target | SeawallError {
    const instances = this.#instances
    if (!instances) {
      const entered = this.#rules.enter(url.origin)
      return entered instanceof Error ? entered : { ...entered, ...at(url), index: -1 }
    }
    let refusal: SeawallError | undefined
    for (const index of Array.from(
      policyEngine().instancesOrder(this.#handle, Float64Array.from(tried)),
    )) {
      const instance = instances[index] as URL
      const entered = this.#rules.enter(instance.origin)
      if (!(entered instanceof Error)) return { ...entered, ...at(moved(url, instance)), index }
      if (refusal === undefined || soonness(entered) < soonness(refusal)) refusal = entered
    }
    return refusal as SeawallError
  }

  /** Notes that an instance has failed. */
  failed(index: number): void {
    if (index >= 0) policyEngine().instancesFailed(this.#handle, index)
  }

  /** Whether there is an instance that a request has not gone to, and that may be up. */
  hasOther(tried: readonly number[]): boolean {
    const { breakers } = this.#rules
    return (this.#instances ?? []).some(
      ({ origin }, index) => !tried.includes(index) && !breakers.get(origin).isOpen(),
    )
  }

  [Symbol.dispose](): void {
    if (this.#handle >= 0) handles.release(this, this.#handle)
    this.#handle = -1
  }
}

function at(url: URL): { origin: string; url: string } {
  return { origin: url.origin, url: url.href }
}

/** `url` at another address, below its path. */
function moved(url: URL, instance: URL): URL {
  const target = new URL(instance)
  target.pathname = instance.pathname.replace(/\/$/, '') + url.pathname
  target.search = url.search
  return target
}

function soonness({ retryAfterMs = Number.POSITIVE_INFINITY }: SeawallError): number {
  return retryAfterMs
}

function parse(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || url.origin === 'null' || url.username !== '' || url.password !== '') {
    throw new OptionError(
      `resilientFetch: \`instances\` must be addresses such as http://10.0.0.1:8080, got ${JSON.stringify(text)}`,
      'instances',
    )
  }
  return url
}
