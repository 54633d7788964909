/** What the fronts of the modes that stay between client and worker share. */
import { accessSync, constants, existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { processEngine } from '../engine/process/index.js'
import { optionProblem } from '../errors.js'
import { nativeStrategy } from './balancers.js'
import type { ResolvedServerConfig } from './config.js'
import { countsOf, type FrontCounts, type Live, loadsOf } from './counts.js'
import { folderIn, makeFolder } from './folders.js'
import { type Ask, type Front, lingerMs, settled } from './front.js'
import { listenProblem } from './listen-error.js'
import type { WorkerMessage } from './messages.js'
import { BOARDS, FOLDER, RELAY, SLOT } from './variables.js'

/** Where files lie in memory alone: written every moment, they must never wait for a disk. */
const MEMORY = '/dev/shm'

function boardFolder(otherwise: string): string {
  try {
    accessSync(MEMORY, constants.W_OK)
    return folderIn(MEMORY)
  } catch {
    return otherwise
  }
}

/** @internal */
export abstract class Relay implements Front {
  protected readonly config: ResolvedServerConfig
  readonly #ask: Ask
  readonly #mode: string
  #folder = ''
  #boards = ''

  constructor(mode: string, config: ResolvedServerConfig, ask: Ask) {
    this.#mode = mode
    this.config = config
    this.#ask = ask
  }

  /** What is looked up for the words of a refusal. */
  protected get options(): object {
    return this.config
  }

  /** Starts the native part; -1 after a refusal of the options. */
  protected abstract begin(ask: Ask | undefined): number | undefined

  start(): number {
    const { host, port, loadBalancer } = this.config
    this.#folder = makeFolder()
    this.#boards = boardFolder(this.#folder)
    const e = processEngine()
    let started: number | undefined
    try {
      started = this.begin(nativeStrategy(loadBalancer) ? undefined : this.#ask)
    } catch (error) {
      throw listenProblem(error, host, port)
    }
    if (started === undefined || started < 0) throw optionProblem('startServer', this.options, e)
    return e.relayPort?.() ?? port
  }

  open(): void {
    processEngine().relayOpen?.()
  }

  stop(): void {
    processEngine().relayStop?.()
  }

  settle(): Promise<void> {
    return settled(() => !this.isSettled, lingerMs(this.config))
  }

  /** Whether everybody who has connected before the end has a worker. */
  protected get isSettled(): boolean {
    return processEngine().relaySettled?.() !== false
  }

  end(): void {
    processEngine().relayEnd?.()
    for (const folder of [this.#boards, this.#folder]) {
      if (folder) rmSync(folder, { recursive: true, force: true })
    }
  }

  counts(): FrontCounts {
    const numbers = processEngine().relayCounts?.() ?? new Float64Array()
    return { ...countsOf(numbers), open: numbers[11] ?? 0 }
  }

  loads(): Map<number, Live> {
    return loadsOf(processEngine().relayLoads?.() ?? new Float64Array())
  }

  choose(id: number, slot: number): void {
    processEngine().relayChoose?.(id, slot)
  }

  environment(slot: number): Record<string, string> {
    return {
      [FOLDER]: this.#folder,
      [BOARDS]: this.#boards,
      [SLOT]: String(slot),
      [RELAY]: this.#mode,
    }
  }

  ready(slot: number, pid: number | undefined, message: WorkerMessage): void {
    const { address, introduced = false } = message
    if (pid === undefined || address === undefined) return
    const board = join(this.#boards, String(pid))
    // A worker without the addon tells nothing of itself.
    processEngine().relayWorker?.(slot, pid, address, introduced, existsSync(board) ? board : '')
    // Both have it mapped: nobody needs its name any more.
    try {
      rmSync(board, { force: true })
    } catch {}
  }

  gone(pid: number | undefined): void {
    if (pid === undefined) return
    processEngine().relayGone?.(pid)
    // Of one that ended before it was ready: a later process may have its number.
    try {
      rmSync(join(this.#boards, String(pid)), { force: true })
    } catch {}
  }
}
