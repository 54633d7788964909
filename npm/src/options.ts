import { describe, OptionError } from './errors.js'

/** What an option is, as far as JavaScript can tell; its range is the engine's business. */
export type Kind =
  | 'number'
  | 'integer'
  | 'boolean'
  | 'string'
  | 'function'
  | 'numbers'
  | 'object'
  | 'any'
  | readonly string[]

/**
 * Refuses options that are no object, keys nobody knows, values of the wrong type, and NaN.
 * `undefined` counts as not set.
 */
export function check(where: string, options: unknown, fields: Record<string, Kind>): void {
  if (options === undefined) return
  if (typeof options !== 'object' || options === null) {
    throw new OptionError(`${where}: the options must be an object, got ${describe(options)}`, '')
  }
  const prefix = where.includes(' ') ? `${where.slice(where.indexOf(' ') + 1)}.` : ''
  const who = where.split(' ')[0]
  for (const [key, value] of Object.entries(options)) {
    const option = prefix + key
    const kind = Object.hasOwn(fields, key) ? fields[key] : undefined
    if (kind === undefined) {
      const near = nearest(key, Object.keys(fields))
      const hint = near
        ? `; did you mean \`${prefix}${near}\`?`
        : `; known are ${Object.keys(fields).join(', ')}`
      throw new OptionError(`${who}: unknown option \`${option}\`${hint}`, option)
    }
    if (value !== undefined && !fits(value, kind)) {
      throw new OptionError(
        `${who}: \`${option}\` must be ${words(kind)}, got ${describe(value)}`,
        option,
      )
    }
  }
}

/** `present` with what `given` says; what is `undefined` there is not given, and stays as it is. */
export function updated<T extends object>(present: T, given: Partial<T>): T {
  const said = Object.entries(given).filter(([, value]) => value !== undefined)
  return { ...present, ...Object.fromEntries(said) }
}

function fits(value: unknown, kind: Kind): boolean {
  if (typeof kind === 'object') return kind.includes(value as string)
  switch (kind) {
    case 'number':
      return typeof value === 'number' && !Number.isNaN(value)
    case 'integer':
      return Number.isInteger(value)
    case 'numbers':
      return (
        Array.isArray(value) &&
        value.every(entry => typeof entry === 'number' && !Number.isNaN(entry))
      )
    case 'object':
      return typeof value === 'object' && value !== null
    case 'any':
      return true
    default:
      // The kinds left are names of types.
      return typeof value === kind
  }
}

function words(kind: Kind): string {
  if (typeof kind === 'object') return `one of ${kind.map(word => `"${word}"`).join(', ')}`
  return {
    number: 'a number',
    integer: 'a whole number',
    numbers: 'an array of numbers',
    object: 'an object',
    boolean: 'a boolean',
    string: 'a string',
    function: 'a function',
    any: 'anything',
  }[kind]
}

/** The known key that was probably meant: at most two letters away, or the same in other case. */
function nearest(key: string, known: string[]): string | undefined {
  const same = known.find(other => other.toLowerCase() === key.toLowerCase())
  if (same) return same
  const scored = known
    .map(other => [distance(key, other), other] as const)
    .sort((a, b) => a[0] - b[0])
  const best = scored[0]
  return best && best[0] <= 2 ? best[1] : undefined
}

/** Levenshtein's distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(change, (row[j] as number) + 1, (next[j - 1] as number) + 1))
    }
    row = next
  }
  return row[b.length] as number
}
