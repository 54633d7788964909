/** What accepts connections in the primary: one for each mode but `cluster`, which has none. */
import { processEngine } from '../engine/process/index.js'
import { nativeStrategy } from './balancers.js'
import type { ResolvedServerConfig } from './config.js'
import type { FrontCounts, Live } from './counts.js'
import type { WorkerMessage } from './messages.js'

export type { Ask } from '../engine/ask.js'

/** A front. Workers have places there by number; see `Place.slot`. @internal */
export interface Front {
  /**
   * Takes the address for clients; answers its port.
   *
   * @throws what is wrong with the options, or why the address cannot be had.
   */
  start(): number
  /** Lets clients connect. @throws where another process came first. */
  open(): void
  /** Accepts no more; what waits still gets a worker. */
  stop(): void
  /** Ends when workers may hear that the server ends, after `stop`: nobody waits for one any more. */
  settle(): Promise<void>
  /** Lets go of what `start` took. */
  end(): void
  counts(): FrontCounts
  /** What workers say of themselves, by their places. */
  loads(): Map<number, Live>
  /** Answers a question: the place of a worker; -1 closes the connection, -2 gives it to anybody. */
  choose(id: number, slot: number): void
  /** The variables a worker of this place is started with. */
  environment(slot: number): Record<string, string>
  /** The process `pid` takes connections from now on. */
  ready(slot: number, pid: number | undefined, message: WorkerMessage): void
  /** It has ended. */
  gone(pid: number | undefined): void
}

/** For how long connections on which nothing happens are kept when the server ends. @internal */
export function lingerMs({ gracefulShutdownTimeoutMs }: ResolvedServerConfig): number {
  return processEngine().balanceLingerMs(gracefulShutdownTimeoutMs, Number.NaN, false)
}

/** How often is looked whether something is over. */
const LOOK_MS = 10

/** Waits while something is under way, at most for `ms`. @internal */
export async function settled(isBusy: () => boolean, ms: number): Promise<void> {
  const until = performance.now() + ms
  while (isBusy() && performance.now() < until) {
    await new Promise(resolve => setTimeout(resolve, LOOK_MS))
  }
}

/** The numbers of `BalanceOptions` in core, in its order. @internal */
export function balanceNumbers(config: ResolvedServerConfig): Float64Array {
  const none = undefined
  const { strategy, weights = [none, none, none] } = nativeStrategy(config.loadBalancer) ?? {
    strategy: 0,
  }
  const numbers = [
    strategy,
    ...weights,
    config.stuckAfterMs,
    none,
    config.slowStartMs,
    config.ejectAfter,
    config.ejectForMs,
    config.latencyDecayMs,
    none,
    config.patienceMs,
    none,
    config.requestInspectionTimeoutMs,
    config.maxHeaderBytes,
  ]
  return Float64Array.from(numbers, number => number ?? Number.NaN)
}
