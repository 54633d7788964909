import type { Classifier } from '../engine/classify/types.js'
import { entries, isObject, read } from './walk.js'

/** Whose number it is, as the engine counts them. */
const SOURCE = { unknown: 0, mysql: 1, mssql: 2, sqlite: 3, grpc: 4, mongodb: 5 } as const

/** The beginning of a message is enough: no rule looks further. */
const LONGEST = 256

/** The headers that speak of waiting; of two that say the same, the later one counts. */
const HEADERS: readonly string[] = [
  'retry-after',
  'retry-after-ms',
  'x-ms-retry-after-ms',
  'ratelimit',
  'ratelimit-policy',
  'ratelimit-reset',
  'ratelimit-remaining',
  'x-rate-limit-reset',
  'x-rate-limit-remaining',
  'x-ratelimit-reset',
  'x-ratelimit-reset-after',
  'x-ratelimit-remaining',
  'x-ratelimit-reset-requests',
  'x-ratelimit-remaining-requests',
  'x-ratelimit-reset-tokens',
  'x-ratelimit-remaining-tokens',
]

/** The packed verdict on one error by itself, -1 if it is not known. */
export function judge(core: Classifier, error: object, now: number, caused: boolean): number {
  const status = statusOf(error)
  const { source, number } = numberOf(error)
  const mark = read(error, '$retryable')
  const flags =
    (isObject(mark) ? 1 : 0) |
    (isObject(mark) && read(mark, 'throttling') === true ? 2 : 0) |
    (caused ? 4 : 0)
  const fields = [
    field(read(error, 'code')) || field(read(error, 'status')),
    nameOf(error),
    field(read(error, 'sqlState')),
    field(read(error, 'syscall')),
    labelsOf(error),
    field(read(error, 'message')),
    ...(status > 0 ? waits(error) : []),
  ]
  return core.classifyFacts(fields.join('\0'), flags, source, number, status, now)
}

/** A string as a field of the text that crosses, empty if it cannot be one. */
function field(value: unknown): string {
  if (typeof value !== 'string') return ''
  const start = value.length > LONGEST ? value.slice(0, LONGEST) : value
  return start.includes('\0') ? '' : start
}

function integer(value: unknown): number | undefined {
  return typeof value === 'number' && (value | 0) === value ? value : undefined
}

/** The name, or the class where the library left the name as it was (node-redis does). */
function nameOf(error: object): string {
  const name = field(read(error, 'name'))
  if (name !== '' && name !== 'Error') return name
  const type = read(error, 'constructor')
  return typeof type === 'function' ? field(read(type, 'name')) : ''
}

function labelsOf(error: object): string {
  return entries(read(error, 'errorLabels'), 16).map(field).join(' ')
}

/** The number an error carries, with the driver that is told by the properties beside it. */
function numberOf(error: object): { source: number; number: number | undefined } {
  const errcode = integer(read(error, 'errcode'))
  if (errcode !== undefined) return { source: SOURCE.sqlite, number: errcode }
  const number = integer(read(error, 'number'))
  if (number !== undefined) return { source: SOURCE.mssql, number }
  const errno = integer(read(error, 'errno'))
  const sql = read(error, 'sqlState') ?? read(error, 'sqlMessage')
  if (errno !== undefined && typeof sql === 'string') {
    return { source: SOURCE.mysql, number: errno }
  }
  const code = integer(read(error, 'code'))
  if (code === undefined) return { source: SOURCE.unknown, number: undefined }
  const name = nameOf(error)
  const isGrpc = typeof read(error, 'details') === 'string' && isObject(read(error, 'metadata'))
  if (isGrpc || name === 'ConnectError') return { source: SOURCE.grpc, number: code }
  if (name.startsWith('Mongo')) return { source: SOURCE.mongodb, number: code }
  return { source: SOURCE.unknown, number: code }
}

/** The HTTP status, wherever the client keeps it; 0 where there is none. */
function statusOf(error: object): number {
  const places: [string | undefined, string][] = [
    [undefined, 'status'],
    [undefined, 'statusCode'],
    ['response', 'status'],
    ['response', 'statusCode'],
    ['$metadata', 'httpStatusCode'],
    ['$response', 'statusCode'],
  ]
  for (const [where, key] of places) {
    const holder = where === undefined ? error : read(error, where)
    const status = isObject(holder) ? integer(read(holder, key)) : undefined
    if (status !== undefined && status > 0 && status < 1000) return status
  }
  return 0
}

/** Names and values of the headers that speak of waiting. */
function waits(error: object): string[] {
  for (const where of [undefined, 'response', '$response']) {
    const holder = where === undefined ? error : read(error, where)
    const headers = isObject(holder) ? read(holder, 'headers') : undefined
    if (!isObject(headers)) continue
    const value = lookup(headers)
    return HEADERS.flatMap(name => {
      const text = value(name)
      return text === '' ? [] : [name, text]
    })
  }
  return []
}

/** How to find a header in a `Headers`, a `Map`, or a plain object of any spelling. */
function lookup(headers: object): (name: string) => string {
  if (typeof read(headers, 'get') === 'function') {
    const { get } = headers as { get(name: string): unknown }
    return name => {
      try {
        return headerText(get.call(headers, name))
      } catch {
        return ''
      }
    }
  }
  const found = new Map<string, unknown>()
  try {
    for (const key in headers) {
      const name = key.toLowerCase()
      if (HEADERS.includes(name)) found.set(name, read(headers, key))
    }
  } catch {
    // A proxy without keys to show.
  }
  return name => headerText(found.get(name))
}

function headerText(value: unknown): string {
  const first: unknown = isObject(value) ? read(value, '0') : value
  return typeof first === 'number' ? String(first) : field(first)
}
