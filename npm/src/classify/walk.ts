/** Deeper than any chain of causes that somebody wrote. */
const MAX_DEPTH = 16
/** More errors than anybody collects, and an end for those that make new ones when looked at. */
const MAX_ERRORS = 64

/** Where an error keeps what it wraps: the standard, mssql and node-redis, Sequelize. */
const CAUSES = ['cause', 'originalError', 'original'] as const

/** One walk through an error and what it is made of: bounded, and each object once. */
export class Visit {
  #left = MAX_ERRORS
  #seen = new Set<object>()

  /** Whether this error, `depth` steps below the first, is to be looked at. */
  enter(error: object, depth: number): boolean {
    if (this.#left <= 0 || depth >= MAX_DEPTH || this.#seen.has(error)) return false
    this.#left--
    this.#seen.add(error)
    return true
  }
}

export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

/** A property of any object, `undefined` if reading it throws. */
export function read(object: object, key: string): unknown {
  try {
    return (object as Record<string, unknown>)[key]
  } catch {
    return undefined
  }
}

/** The first entries of a list; nothing of what is no list, or shows nothing. */
export function entries(list: unknown, limit: number): unknown[] {
  if (!isArray(list)) return []
  const length = Math.min(Number(read(list, 'length')) || 0, limit)
  return Array.from({ length }, (_, index) => read(list, String(index)))
}

function isArray(value: unknown): value is object {
  try {
    return Array.isArray(value)
  } catch {
    // A proxy that was revoked.
    return false
  }
}

/** What an error is made of, and what caused it. */
export function children(error: object): { errors: object[]; cause: object | undefined } {
  return {
    errors: entries(read(error, 'errors'), MAX_ERRORS).filter(isObject),
    cause: CAUSES.map(key => read(error, key)).find(isObject),
  }
}
