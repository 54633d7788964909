/** The logger of a server: each part of it the user's, or the one that was there before. */
import { call } from '../events.js'
import type { LoggerLike } from './types.js'

const PARTS = ['debug', 'info', 'warn', 'error'] as const

type Part = (...words: unknown[]) => unknown

/** `given`, with what it has not from `before`. Its parts are called as methods: many loggers need that. */
export function completeLogger(
  given: Partial<LoggerLike> | undefined,
  before: LoggerLike,
): LoggerLike {
  if (!given || given === before) return before
  return withParts(part =>
    typeof given[part] === 'function' ? methodOf(given, part) : before[part],
  )
}

/** `logger`, of which what it throws is reported and changes nothing. */
export function guardedLogger(logger: LoggerLike): LoggerLike {
  return withParts(part => (...words) => {
    call(() => logger[part](...words), 'startServer: the logger')
  })
}

/** A plain object's function is given as it is, so that whoever reads the configuration finds it. */
function methodOf(given: Partial<LoggerLike>, part: (typeof PARTS)[number]): Part {
  const made = Object.getPrototypeOf(given)
  if (made === Object.prototype || made === null) return given[part] as Part
  return (...words) => given[part]?.(...words)
}

function withParts(made: (part: (typeof PARTS)[number]) => Part): LoggerLike {
  return Object.fromEntries(PARTS.map(part => [part, made(part)])) as unknown as LoggerLike
}
