/** What of a response is needed to end an event stream. */
interface Endable {
  write(text: string): unknown
  end(): unknown
  on(event: 'error', listener: (error: Error & { code?: string }) => void): unknown
}

const ended = new WeakSet<object>()

/** Whether a content type is that of an event stream. */
export function isEventStream(type: unknown): boolean {
  return typeof type === 'string' && /^\s*text\/event-stream\b/i.test(type)
}

/** Ends an event stream in order, once: its client comes back by itself, to another process. */
export function endStream(stream: Endable, retryMs: number | undefined): void {
  if (ended.has(stream)) return
  ended.add(stream)
  // The application, which has not noticed yet, may write once more.
  stream.on('error', () => {})
  if (retryMs !== undefined) stream.write(`retry: ${retryMs}\n\n`)
  stream.end()
}
