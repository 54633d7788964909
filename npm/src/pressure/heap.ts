/**
 * How full the heap is, in the sense that matters: what was still in use after the last full
 * collection, of what the old generation may grow to.
 *
 * V8's `heap_size_limit` is no such limit: it includes the young generation, so that a heap of
 * 120 MB ends with 0.38 of it in use (Node 24). And what is in use before a collection says little,
 * as V8 lets garbage pile up for as long as there is room.
 */
import { builtin, host } from './host.js'

const MB = 2 ** 20
/** A full collection, among `constants` of `node:perf_hooks`. */
const MAJOR = 4
/** What the young generation takes at most, three semi-spaces, by major versions of V8. */
const YOUNG_MB: Record<string, number> = { 12: 48, 13: 192, 14: 96 }

interface V8 {
  getHeapStatistics?(): { heap_size_limit: number }
  getHeapSpaceStatistics?(): { space_name: string; space_used_size: number }[]
}
interface Entry {
  readonly detail?: { kind?: number }
}
interface Hooks {
  PerformanceObserver?: new (
    callback: (list: { getEntries(): Entry[] }) => void,
  ) => {
    observe(options: { entryTypes: string[] }): void
    disconnect(): void
  }
}

/** Follows the heap for as long as it is started. */
export class HeapProbe {
  #limit: number | undefined
  #afterGc: number | undefined
  #stop: (() => void) | undefined

  /** `collected` is called after each full collection. */
  start(collected?: () => void): void {
    this.#limit = oldLimit()
    try {
      const { PerformanceObserver } = builtin<Hooks>('node:perf_hooks') ?? {}
      if (!PerformanceObserver || oldUsed() === undefined) return
      const observer = new PerformanceObserver(list => {
        if (list.getEntries().some(({ detail }) => detail?.kind === MAJOR)) {
          this.#afterGc = oldUsed()
          collected?.()
        }
      })
      observer.observe({ entryTypes: ['gc'] })
      this.#stop = () => observer.disconnect()
    } catch {
      this.#stop = undefined
    }
  }

  stop(): void {
    this.#stop?.()
    this.#stop = undefined
    this.#afterGc = undefined
  }

  /** Bytes in use and their limit; `used` is what is in use now, collected or not. */
  read(used: number): { heapUsed: number | undefined; heapLimit: number | undefined } {
    // No full collection so far: the heap is far from its limit.
    return { heapUsed: this.#stop ? this.#afterGc : used, heapLimit: this.#limit }
  }
}

/** Bytes of the old generation in use. */
function oldUsed(): number | undefined {
  const spaces = builtin<V8>('node:v8')?.getHeapSpaceStatistics?.() ?? []
  const old = spaces.filter(({ space_name: name }) => !name.startsWith('new_'))
  return old.length > 0 ? old.reduce((sum, space) => sum + space.space_used_size, 0) : undefined
}

/** Bytes to which the old generation may grow. */
function oldLimit(): number | undefined {
  try {
    const limit = builtin<V8>('node:v8')?.getHeapStatistics?.().heap_size_limit
    const threads = builtin<{ resourceLimits?: { maxOldGenerationSizeMb?: number } }>(
      'node:worker_threads',
    )
    const told = threads?.resourceLimits?.maxOldGenerationSizeMb ?? flag()
    if (told) return told * MB
    if (!limit) return undefined
    const [major = ''] = (host().versions?.v8 ?? '').split('.')
    const young = (YOUNG_MB[major] ?? 0) * MB
    return young < limit / 2 ? limit - young : limit
  } catch {
    return undefined
  }
}

/** `--max-old-space-size` in MB, from the command line or else the environment. */
function flag(): number | undefined {
  const { execArgv = [], env } = host()
  const words = `${env?.NODE_OPTIONS ?? ''} ${execArgv.join(' ')}`
  const found = [...words.matchAll(/--max[-_]old[-_]space[-_]size[= ](\d+)/g)].at(-1)?.[1]
  return found === undefined ? undefined : Number(found)
}
