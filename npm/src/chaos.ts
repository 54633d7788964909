/**
 * Failures on purpose. Nothing here does anything unless `enabled` is true, and what is enabled
 * says so once, so that nobody debugs it. Which calls are struck is the engine's decision.
 */
import { type Clock, systemClock } from './clock.js'
import { Handles } from './engine/handles.js'
import { policyEngine } from './engine/policies/index.js'
import { OptionError, optionProblem } from './errors.js'
import { call, report } from './events.js'
import { check, type Kind } from './options.js'
import { seedOr } from './seed.js'
import { sleep, startTimer } from './timer.js'

/** What all experiments have in common. */
export interface ChaosBase {
  /** Whether it does anything. Default `false`: take it from the environment. */
  enabled?: boolean | undefined
  /** The same seed strikes the same calls. Default a random one. */
  seed?: number | undefined
  /** Told once what is enabled. Default `console.error`. */
  announce?: ((message: string) => void) | undefined
  /** Where time and timers come from. Default the runtime's. */
  clock?: Clock | undefined
}

/** Which calls are struck and how. At most one of `fault`, `latencyMs` and `result`. */
export interface ChaosOptions extends ChaosBase {
  /**
   * The share of calls struck, 0 to 1, or a function of a call's arguments that tells it for that
   * call. What the function throws is reported, and the call spared. Default 0.001.
   */
  rate?: number | ((...args: never[]) => number) | undefined
  /** Struck calls reject with this, or with what it returns. Default `Error('chaos')`. */
  fault?: unknown
  /** Struck calls start this many ms late. */
  latencyMs?: number | undefined
  /** The longest delay; the shortest is `latencyMs`. Default the same. */
  maxLatencyMs?: number | undefined
  /** Struck calls resolve with this, or with what it returns for the arguments. */
  result?: unknown
}

const BASE: Record<string, Kind> = {
  enabled: 'boolean',
  seed: 'number',
  announce: 'function',
  clock: 'object',
}
const FIELDS: Record<string, Kind> = {
  ...BASE,
  rate: 'any',
  fault: 'any',
  latencyMs: 'number',
  maxLatencyMs: 'number',
  result: 'any',
}
const FAULT = -2
const RESULT = -3
const handles = new Handles(handle => policyEngine().chaosFree(handle))

/** What {@link chaos} makes: puts the failures around a function. Disabled, it answers the function itself. */
export type ChaosWrapper = <A extends unknown[], R>(
  fn: (...args: A) => Promise<R>,
) => (...args: A) => Promise<R>

/**
 * A wrapper that lets a share of calls fail, start late, or answer something else.
 *
 * @throws OptionError for an option that is unknown, of a wrong type or out of range, enabled or not
 * @example
 * ```ts
 * const unreliable = chaos({ enabled: process.env.CHAOS === 'on', rate: 0.01 })
 * const query = unreliable((sql: string) => pool.query(sql))
 * ```
 */
export function chaos(options: ChaosOptions = {}): ChaosWrapper {
  return make('chaos', options, 'chaos')
}

function make(where: string, options: ChaosOptions, fault: string): ChaosWrapper {
  check(where, options, FIELDS)
  const { enabled = false, latencyMs, maxLatencyMs } = options
  const told = typeof options.rate === 'function' ? options.rate : undefined
  const rate = told ? undefined : (options.rate as number | undefined)
  check(where, { rate }, { rate: 'number' })
  const answers = 'result' in options
  if ('fault' in options && (answers || latencyMs !== undefined)) {
    const other = answers ? 'result' : 'latencyMs'
    throw new OptionError(`${where}: \`fault\` must not be set together with \`${other}\``, 'fault')
  }
  const core = policyEngine()
  const seed = seedOr(options.seed)
  const handle = core.chaosNew(enabled, rate, latencyMs, maxLatencyMs, answers, seed)
  if (handle < 0) throw optionProblem(where, options, core)
  if (!enabled) {
    core.chaosFree(handle)
    return fn => fn
  }
  const what = answers
    ? 'answers made results'
    : latencyMs === undefined
      ? 'fails calls'
      : 'delays calls'
  tell(
    options,
    `${where} ${what} on purpose, at a rate of ${told ? 'its own for each call' : (rate ?? 0.001)}`,
  )
  const clock = options.clock ?? systemClock
  // Wrapped functions hold this one, and with it the handle, when the wrapper is long gone.
  const held = { handle }
  const wrapper: ChaosWrapper = fn =>
    async function (this: unknown, ...args) {
      const strike = core.chaosDraw(held.handle, told ? rateOf(told, args) : -1)
      if (strike === FAULT) throw made(options.fault ?? new Error(fault), [])
      if (strike === RESULT) return made(options.result, args) as never
      if (strike >= 0) await sleep(clock, strike, undefined)
      return fn.apply(this, args)
    }
  handles.watch(held, handle)
  return wrapper
}

/** The rate for one call, 0 where the function throws or answers none. */
function rateOf(told: (...args: never[]) => number, args: unknown[]): number {
  try {
    const rate = told(...(args as never[]))
    if (rate >= 0 && rate <= 1) return rate
    throw new TypeError(`it must answer a number from 0 to 1, got ${String(rate)}`)
  } catch (error) {
    report(error, 'chaos: rate')
    return 0
  }
}

function made(value: unknown, args: unknown[]): unknown {
  return typeof value === 'function' ? value(...args) : value
}

function tell({ announce = console.error }: ChaosBase, message: string): void {
  call(() => announce(`seawall: ${message}`), 'chaos: announce')
}

/** How {@link failCalls} fails calls. */
export interface FailCallsOptions extends ChaosBase {
  /** The share of calls that fail, 0 to 1. Default 0.0001, one in ten thousand. */
  rate?: number | undefined
  /** What they reject with, or what makes it. Default `Error('chaos query')`. */
  fault?: unknown
}

/** `fn`, of which a small share of calls rejects without being made. */
export function failCalls<A extends unknown[], R>(
  fn: (...args: A) => Promise<R>,
  options: FailCallsOptions = {},
): (...args: A) => Promise<R> {
  check('failCalls', options, { ...BASE, rate: 'number', fault: 'any' })
  return make('failCalls', { ...options, rate: options.rate ?? 0.0001 }, 'chaos query')(fn)
}

/** How {@link randomExit} ends the process. */
export interface RandomExitOptions extends ChaosBase {
  /** The longest life in ms. Default 100,000,000, 27.8 hours. */
  longestMs?: number | undefined
  /** Ends the process. Default `process.exit`. */
  exit?: ((status: number) => void) | undefined
}

/** An experiment under way; disposing of it takes it back. */
export interface Experiment extends Disposable {
  /** Takes it back. */
  stop(): void
}

/** Ends the process with status 99 at a random time from now to `longestMs`. */
export function randomExit(options: RandomExitOptions = {}): Experiment {
  check('randomExit', options, { ...BASE, longestMs: 'number', exit: 'function' })
  const { longestMs = Number.NaN, clock = systemClock } = options
  const core = policyEngine()
  const life = core.chaosLifespan(longestMs, seedOr(options.seed))
  if (life < 0) throw optionProblem('randomExit', options, core)
  if (!options.enabled) return experiment(() => {})
  const exit = options.exit ?? (status => globalThis.process?.exit(status))
  tell(options, `randomExit ends this process on purpose in ${Math.round(life)} ms`)
  const end = (): void => {
    tell({ announce: options.announce }, 'chaos exit')
    exit(99)
  }
  return experiment(startTimer(clock, life, end, true))
}

/** How {@link loopPause} blocks the event loop. */
export interface LoopPauseOptions extends ChaosBase {
  /** The longest time from one pause to the next in ms; the shortest is 0. Default 100,000. */
  maxGapMs?: number | undefined
  /** The shortest pause in ms. Default 1000. */
  minPauseMs?: number | undefined
  /** The longest pause in ms. Default 5000. */
  maxPauseMs?: number | undefined
  /** Blocks for so many ms. Default a loop that computes until the time is over. */
  block?: ((ms: number) => void) | undefined
}

/** Blocks the event loop now and then. */
export function loopPause(options: LoopPauseOptions = {}): Experiment {
  const { maxGapMs, minPauseMs, maxPauseMs, clock = systemClock } = options
  const fields: Record<string, Kind> = {
    maxGapMs: 'number',
    minPauseMs: 'number',
    maxPauseMs: 'number',
  }
  check('loopPause', options, { ...BASE, ...fields, block: 'function' })
  const core = policyEngine()
  const handle = core.loopPauseNew(maxGapMs, minPauseMs, maxPauseMs, seedOr(options.seed))
  if (handle < 0) throw optionProblem('loopPause', options, core)
  if (!options.enabled) {
    core.loopPauseFree(handle)
    return experiment(() => {})
  }
  const block = options.block ?? busy
  tell(options, 'loopPause blocks the event loop on purpose now and then')
  let cancel: () => void
  const plan = (): void => {
    const [after = 0, lasts = 0] = Array.from(core.loopPauseDraw(handle))
    cancel = startTimer(
      clock,
      after,
      () => {
        call(() => block(lasts), 'loopPause: block')
        plan()
      },
      true,
    )
  }
  plan()
  return experiment(() => {
    cancel()
    core.loopPauseFree(handle)
  })
}

function busy(ms: number): void {
  const end = performance.now() + ms
  while (performance.now() < end);
}

function experiment(take: () => void): Experiment {
  let over = false
  const stop = (): void => {
    if (!over) take()
    over = true
  }
  return { stop, [Symbol.dispose]: stop }
}
