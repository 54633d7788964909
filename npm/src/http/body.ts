/** What can be sent as often as need be: none of it is used up by being read. */
const REPLAYABLE = new Set([
  '[object ArrayBuffer]',
  '[object Blob]',
  '[object File]',
  '[object FormData]',
  '[object SharedArrayBuffer]',
  '[object URLSearchParams]',
])

/** Whether a body can be sent again. Told by tags, since a client may bring its own `FormData`. */
export function isReplayable(body: unknown): boolean {
  if (typeof body === 'function' || typeof body !== 'object' || body === null) return true
  return ArrayBuffer.isView(body) || REPLAYABLE.has(Object.prototype.toString.call(body))
}

/** Whether a body is a stream, for which `fetch` wants `duplex`. */
export function isStream(body: unknown): boolean {
  return (
    typeof body === 'object' &&
    body !== null &&
    !isReplayable(body) &&
    ('getReader' in body || Symbol.asyncIterator in body)
  )
}
