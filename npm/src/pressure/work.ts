/**
 * For how long the event loop itself has worked, which is not what a clock says: a process that
 * others kept from the processor looks blocked, and has done nothing.
 */
import { processEngine } from '../engine/process/index.js'
import { builtin, host } from './host.js'

interface Cpu {
  readonly user: number
  readonly system: number
}
interface Loop {
  readonly idle: number
  readonly active: number
}
interface Hooks {
  performance?: { eventLoopUtilization?(): Loop }
}

/** Between two looks. */
export interface Work {
  /** For how long the loop was at work, in ms; infinite where nobody knows. */
  readonly ms: number
  /** What the loop counts since it began, in ms; `undefined` where it does not count. */
  readonly loop: Loop | undefined
}

/** Looks at what the loop has done since the last look. */
export class WorkProbe {
  #loop: (() => Loop) | undefined
  #cpu: (() => Cpu) | undefined
  #active = 0
  #used = 0
  #preempted = 0

  start(): void {
    const { performance } = builtin<Hooks>('node:perf_hooks') ?? {}
    if (performance?.eventLoopUtilization) {
      this.#loop = () => performance.eventLoopUtilization?.() ?? { idle: 0, active: 0 }
    }
    this.#cpu = cpuClock()
    this.look()
  }

  stop(): void {
    this.#loop = undefined
    this.#cpu = undefined
  }

  look(): Work {
    const loop = this.#loop?.()
    // Some runtimes have the function and no numbers.
    const counts = loop !== undefined && loop.idle + loop.active > 0
    const active = counts ? loop.active - this.#active : Number.POSITIVE_INFINITY
    if (counts) this.#active = loop.active
    const cpu = this.#cpu?.()
    const used = cpu ? (cpu.user + cpu.system) / 1_000 : Number.NaN
    const worked = used - this.#used
    this.#used = used
    const preempted = this.#cpu ? preemptions() : undefined
    const isFree = preempted !== undefined && preempted === this.#preempted
    this.#preempted = preempted ?? 0
    const ms = processEngine().pressureWorked(active, worked, !(counts && isFree))
    return { ms, loop: counts ? loop : undefined }
  }
}

/** The clock of this thread's use of the processor, or else that of the process. */
function cpuClock(): (() => Cpu) | undefined {
  const process = host()
  for (const clock of [process.threadCpuUsage, process.cpuUsage]) {
    try {
      const cpu = clock?.call(process)
      if (cpu && cpu.user + cpu.system >= 0) return () => (clock as () => Cpu).call(process)
    } catch {
      // Not there, or not allowed.
    }
  }
  return undefined
}

/** How often the process was kept from going on, as far as that is known. */
function preemptions(): number | undefined {
  try {
    return host().resourceUsage?.().involuntaryContextSwitches
  } catch {
    return undefined
  }
}
