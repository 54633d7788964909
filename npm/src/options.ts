import { OptionError } from './errors.js'

export type Kind =
  | 'number'
  | 'integer'
  | 'boolean'
  | 'string'
  | 'function'
  | 'numbers'
  | 'object'
  | readonly string[]

/** Throws for an unknown key, a wrong type or NaN. */
export function check(where: string, options: unknown, fields: Record<string, Kind>): void {
  if (options === undefined) return
  if (typeof options !== 'object' || options === null)
    throw new OptionError(`${where}: options must be an object`, '')
  for (const [key, value] of Object.entries(options)) {
    const kind = fields[key]
    if (kind === undefined) throw new OptionError(`${where}: unknown option \`${key}\``, key)
    if (value === undefined) continue
    const fits =
      typeof kind !== 'string'
        ? kind.includes(value)
        : kind === 'numbers'
          ? Array.isArray(value) && value.every(v => typeof v === 'number')
          : kind === 'integer' || kind === 'number'
            ? typeof value === 'number' && !Number.isNaN(value)
            : kind === 'object'
              ? typeof value === 'object' && value !== null
              : typeof value === kind
    if (!fits) throw new OptionError(`${where}: \`${key}\` must be ${kind}`, key)
  }
}
