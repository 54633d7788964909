/**
 * `value`, frozen to the last part.
 *
 * @throws TypeError where a part stays changeable: a date, a map, a typed array, an object of a
 * class with private fields for all one knows
 * @internal
 */
export function deepFreeze<T>(value: T): T {
  const queue: unknown[] = [value]
  const seen = new Set<object>()
  // It grows while it is gone through.
  for (const part of queue) {
    if (typeof part === 'function') throw new TypeError('a function cannot be frozen for good')
    if (typeof part !== 'object' || part === null || seen.has(part)) continue
    if (!isPlain(part)) {
      const name = part.constructor?.name ?? 'an object'
      throw new TypeError(`${name} is no plain object: it cannot be frozen for good`)
    }
    seen.add(part)
    for (const inner of Object.values(part)) queue.push(inner)
  }
  for (const part of seen) Object.freeze(part)
  return value
}

function isPlain(part: object): boolean {
  if (Array.isArray(part)) return true
  const prototype = Object.getPrototypeOf(part)
  return prototype === Object.prototype || prototype === null
}
