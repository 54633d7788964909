import { type Clock, systemClock } from '../clock.js'
import { processEngine } from '../engine/process/index.js'
import type { ProcessEngine } from '../engine/process/types.js'
import { OptionError, optionProblem } from '../errors.js'
import { PressureMonitor, pressureHandle } from '../pressure/monitor.js'
import { type ChecksParts, checksParts } from './checks.js'
import {
  limitsOf,
  listenError,
  monitorOf,
  type ProbeServerOptions,
  routeCode,
  serverRoutes,
} from './probe-options.js'
import type { ProbeAddress, ProbeCounts, ProbeServer } from './probe-server.js'

/** How often JavaScript says that it turns. */
const BEAT_MS = 50

/** What servers that are open must not lose. */
const opened = new Set<object>()

/** How much of a message the server holds. */
const MOST_TEXT = 500

/** A server in a native thread. @internal */
export function openNative(options: ProbeServerOptions): ProbeServer {
  const core = threads()
  const { port, socketPath, host = '', checks, details = true } = options
  const parts = checks && checksParts(checks)
  const clock = parts?.clock ?? systemClock
  const routes = serverRoutes(options.paths)
  const [monitor, release] = monitorOf(options)
  let handle: number
  try {
    handle = core.probeOpen(
      socketPath ?? host,
      port ?? -1,
      parts?.handle ?? -1,
      pressureHandle(monitor),
      [...routes.keys()],
      Float64Array.from(routes.values(), routeCode),
      limitsOf(options),
      details,
      clock.now(),
    )
  } catch (error) {
    release()
    throw listenError(options, error)
  }
  if (handle < 0) {
    const problem = optionProblem('startProbeServer', options, core)
    release()
    throw problem
  }

  // Where a native thread sees the loop itself, nothing has to run on it.
  const letGo = watchLoop(options.monitor === undefined ? monitor : undefined)
  const stopBeat = letGo ? undefined : startBeat(new Float64Array(core.probeMemory(handle)), clock)
  const forget = parts && describe(core, handle, parts)

  // Whoever starts a server need not keep it: what it looks at has to be there all the same.
  const kept = { monitor, checks, letGo }
  opened.add(kept)
  const close = (): void => {
    if (!opened.delete(kept)) return
    stopBeat?.()
    letGo?.()
    forget?.()
    last = countsOf(core.probeCounts(handle))
    last.open = 0
    core.probeClose(handle)
    release()
  }
  const address = addressOf(core.probeAddress(handle), socketPath !== undefined)
  let last: ProbeCounts | undefined
  return {
    kind: 'native',
    address: () => address,
    counts: () => last ?? countsOf(core.probeCounts(handle)),
    close: async () => close(),
    [Symbol.dispose]: close,
    [Symbol.asyncDispose]: async () => close(),
  }
}

/**
 * Keeps a native thread looking at the loop by a monitor that nobody else disposes of, `own` if there
 * is one; `undefined` where no thread can.
 */
function watchLoop(own: PressureMonitor | undefined): (() => void) | undefined {
  const eye = own ?? new PressureMonitor({ dryRun: true })
  if (eye.explain().source === 'native') return () => eye[Symbol.dispose]()
  if (eye !== own) eye[Symbol.dispose]()
  return undefined
}

/** Says again and again that JavaScript turns. */
function startBeat(words: Float64Array, clock: Clock): () => void {
  const turn = (): void => {
    words[0] = clock.now()
  }
  words[1] = BEAT_MS
  turn()
  const timer = setInterval(turn, BEAT_MS)
  ;(timer as { unref?: () => void }).unref?.()
  return () => clearInterval(timer)
}

type Threads = ProcessEngine &
  Required<
    Pick<
      ProcessEngine,
      'probeOpen' | 'probeAddress' | 'probeMemory' | 'probeDescribe' | 'probeCounts' | 'probeClose'
    >
  >

function threads(): Threads {
  const core = processEngine()
  if (core.probeOpen === undefined) {
    const message =
      'startProbeServer: `kind` must be "javascript" here, there are no native threads'
    throw new OptionError(message, 'kind')
  }
  return core as Threads
}

/** Keeps the server's words for the checks up to date. */
function describe(core: Threads, handle: number, parts: ChecksParts): () => void {
  let said = ''
  const say = (): void => {
    const entries = [...parts.entries()]
    const names = entries.map(({ name }) => name)
    const messages = entries.map(({ message = '' }) => message.slice(0, MOST_TEXT))
    const unrecoverable = parts.unrecoverable?.slice(0, MOST_TEXT) ?? ''
    const now = JSON.stringify([entries.map(({ id }) => id), names, messages, unrecoverable])
    if (now === said) return
    said = now
    const ids = Float64Array.from(entries, ({ id }) => id)
    core.probeDescribe(handle, ids, names, messages, unrecoverable)
  }
  say()
  return parts.follow(say)
}

function countsOf(numbers: ArrayLike<number>): ProbeCounts {
  const at = (index: number): number => numbers[index] ?? 0
  return { open: at(0), accepted: at(1), displaced: at(2), answered: at(3), refused: at(4) }
}

function addressOf(text: string, isPath: boolean): ProbeAddress {
  if (isPath) return text
  const colon = text.lastIndexOf(':')
  const address = text.slice(0, colon).replace(/^\[|\]$/g, '')
  const port = Number(text.slice(colon + 1))
  return { address, family: address.includes(':') ? 'IPv6' : 'IPv4', port }
}
