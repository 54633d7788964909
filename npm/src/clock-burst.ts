/**
 * The time for those who ask at the end of each call.
 *
 * A look at the clock costs 60 ns in Node, 100 in Deno and more in Workers, as much as all the rest of
 * a call through a breaker. So there, while calls end faster than anything that waits for I/O, one look
 * serves four of them: after {@link MANY} looks in a row each of which was close to the one before, and until
 * one is not. What comes after that turn of the event loop looks for itself; only in Workers, whose
 * `setImmediate` ends with the request, three calls at most are taken for part of a burst before them.
 * Where there is no `setImmediate`, every call looks.
 *
 * A fake clock is looked at by every call: it stands still, or leaps.
 */
import { systemClock } from './clock.js'
import { timersEndWithRequest } from './timer.js'

/** How far apart close looks are at most, in ms. */
const CLOSE = 0.02
const MANY = 64
const SERVED = 4
/** What the text of Node's own function has, and that of no wrapper. */
const OF_NODE = 'kPerformanceBrand'

/** After how many ms the end of a turn that does not come is waited for anew. */
const LATE = 100

/** The last look. */
let seen = 0
/** How many more it serves. */
let left = 0
/** Looks in a row that were close to the one before. */
let close = 0
/** The runtime's own, as far as can be known: what a test has put there may never come. */
let later = globalThis.setImmediate as typeof setImmediate | undefined
/** Since when the end of this turn is waited for. */
let ending: number | undefined
/** What was looked at last, and how far it moves at least between two looks. */
let source: (() => number) | undefined
let least = Number.POSITIVE_INFINITY

/** Milliseconds of the runtime's clock, as {@link systemClock} shows them. @internal */
export function burstNow(): number {
  if (left > 0) {
    left--
    return seen
  }
  return look()
}

function look(): number {
  const now = performance.now()
  if (performance.now !== source) learn()
  const step = now - seen
  seen = now
  if (step < least || step > CLOSE) close = 0
  else if (close < MANY) close++
  else serve()
  return now
}

/** The next ones get what was seen just now, in this turn of the event loop. */
function serve(): void {
  // In Workers nothing tells of a turn's end.
  if (least === 0 || isEndKnown()) left = SERVED - 1
}

/** Whether the end of this turn will be told; asks for that where nobody has. */
function isEndKnown(): boolean {
  if (ending !== undefined) {
    if (seen - ending < LATE) return true
    // A turn may be as long. Or this one was a test's, which has put the runtime's own back since.
    later = globalThis.setImmediate
  }
  if (!later) return false
  ending = seen
  later(end)
  return true
}

function end(): void {
  left = 0
  ending = undefined
}

/** Whose clock it is: not that of a test, nor one that costs little. */
function learn(): void {
  source = performance.now
  const text = Function.prototype.toString.call(source)
  least = Number.POSITIVE_INFINITY
  if ('Deno' in globalThis || text.includes(OF_NODE)) least = Number.MIN_VALUE
  // Their clock moves only while they wait.
  else if (text.includes('[native code]') && timersEndWithRequest(systemClock)) least = 0
}
