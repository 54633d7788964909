import type { IdempotentAnswer } from './options.js'

/** What is kept under a key. */
export interface IdempotencyRecord {
  /** Whose it is: drawn for each request that takes the key. */
  readonly id: string
  /** Of method, path and body. */
  readonly fingerprint: string
  /** Whether the request has ended. */
  readonly done: boolean
  /** What it was answered, where that was kept. */
  readonly answer: IdempotentAnswer | undefined
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()
const LINE = 10

/** A line of JSON, and after it the body as it is. */
export function encode({ answer, ...record }: IdempotencyRecord): Uint8Array {
  const head = encoder.encode(
    `${JSON.stringify({ ...record, status: answer?.status, headers: answer?.headers })}\n`,
  )
  const body = answer?.body ?? new Uint8Array(0)
  const bytes = new Uint8Array(head.length + body.length)
  bytes.set(head)
  bytes.set(body, head.length)
  return bytes
}

/** What {@link encode} wrote, `undefined` for anything else. */
export function decode(bytes: Uint8Array): IdempotencyRecord | undefined {
  const end = bytes.indexOf(LINE)
  if (end < 0) return undefined
  try {
    const head = JSON.parse(decoder.decode(bytes.subarray(0, end)))
    if (typeof head.id !== 'string' || typeof head.fingerprint !== 'string') return undefined
    const { id, fingerprint, done, status, headers } = head
    const answer =
      typeof status === 'number' ? { status, headers, body: bytes.slice(end + 1) } : undefined
    return { id, fingerprint, done, answer }
  } catch {
    return undefined
  }
}

/** SHA-256 of the parts, in hexadecimal digits. */
export async function digest(...parts: readonly (string | Uint8Array)[]): Promise<string> {
  const bytes = parts.map(part => (typeof part === 'string' ? encoder.encode(part) : part))
  // With their lengths, so that no two lists of parts are one text.
  const lengths = encoder.encode(bytes.map(part => part.length).join(' '))
  const all = new Uint8Array([lengths, ...bytes].reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of [lengths, ...bytes]) {
    all.set(part, at)
    at += part.length
  }
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', all))
  return Array.from(hash, byte => byte.toString(16).padStart(2, '0')).join('')
}
