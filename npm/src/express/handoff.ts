/** The front of the mode `handoff`: a native thread accepts, and workers adopt. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { processEngine } from '../engine/process/index.js'
import { optionProblem } from '../errors.js'
import { seedOr } from '../seed.js'
import { nativeStrategy } from './balancers.js'
import type { ResolvedServerConfig } from './config.js'
import { type FrontCounts, frontCounts, type Live, liveLoads } from './counts.js'
import { makeFolder } from './folders.js'
import { type Ask, balanceNumbers, type Front, lingerMs, settled } from './front.js'
import { listenProblem } from './listen-error.js'
import { FOLDER, SLOT } from './variables.js'

/** @internal */
export class Handoff implements Front {
  readonly #config: ResolvedServerConfig
  readonly #ask: Ask
  #folder: string | undefined

  constructor(config: ResolvedServerConfig, ask: Ask) {
    this.#config = config
    this.#ask = ask
  }

  start(): number {
    const { host, port, loadBalancer } = this.#config
    const folder = makeFolder()
    this.#folder = folder
    const e = processEngine()
    const ask = nativeStrategy(loadBalancer) ? undefined : this.#ask
    let started: number | undefined
    try {
      const control = join(folder, 'front')
      const options = balanceNumbers(this.#config)
      started = e.frontStart?.(host, port, control, options, seedOr(undefined), ask)
    } catch (error) {
      throw listenProblem(error, host, port)
    }
    if (started === undefined || started < 0) throw optionProblem('startServer', this.#config, e)
    return e.frontPort?.() ?? port
  }

  open(): void {
    processEngine().frontOpen?.()
  }

  stop(): void {
    processEngine().frontStop?.()
  }

  settle(): Promise<void> {
    return settled(() => processEngine().frontEnded?.() === false, lingerMs(this.#config))
  }

  end(): void {
    if (this.#folder) rmSync(this.#folder, { recursive: true, force: true })
  }

  counts(): FrontCounts {
    return frontCounts()
  }

  loads(): Map<number, Live> {
    return liveLoads()
  }

  choose(id: number, slot: number): void {
    processEngine().frontChoose?.(id, slot)
  }

  environment(slot: number): Record<string, string> {
    return this.#folder ? { [FOLDER]: this.#folder, [SLOT]: String(slot) } : {}
  }

  // Workers introduce themselves at the socket in the folder, which also tells when they are gone.
  ready(): void {}
  gone(): void {}
}
