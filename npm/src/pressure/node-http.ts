/** What Node's request and response have in common in all frameworks that stand on them. */
import type { Reader, ShedAnswer } from './shed.js'
import { answerWritten } from './written-answer.js'

/** The parts of Node's request. */
export interface PressureRequest {
  readonly method?: string | undefined
  readonly url?: string | undefined
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly rawHeaders?: readonly string[] | undefined
  readonly httpVersionMajor?: number | undefined
  readonly socket?: unknown
}

/** The parts of Node's response. */
export interface PressureResponse {
  readonly headersSent: boolean
  // biome-ignore lint/suspicious/noExplicitAny: two signatures.
  writeHead(status: number, headers: any): unknown
  end(body?: string): unknown
  setHeader(name: string, value: string): unknown
  once(event: 'close', listener: () => void): unknown
}

/** Express keeps the path as it came in `originalUrl`. @internal */
export const nodeReader: Reader<PressureRequest & { originalUrl?: string }> = {
  path: request => request.originalUrl ?? request.url ?? '/',
  header: ({ headers }, name) => {
    const value = headers[name]
    return typeof value === 'string' ? value : value?.[0]
  },
  raw: ({ rawHeaders }) => rawHeaders,
}

/** Answers instead of the service. @internal */
export function answerNode(
  request: PressureRequest,
  response: PressureResponse,
  answer: ShedAnswer,
): void {
  const { status, headers, flat, body } = answer
  if ((request.httpVersionMajor ?? 1) < 2) {
    if (answerWritten(request, response, answer)) return
    response.writeHead(status, flat)
  } else {
    // HTTP/2 knows no such header.
    const { connection: _, ...rest } = headers
    response.writeHead(status, rest)
  }
  response.end(body)
}

/** A session of HTTP/2, which ends with a GOAWAY once its streams are answered. */
interface Session {
  readonly closed?: boolean
  close?(): void
}

/** Closes the connection after a refusal, where HTTP/1 is spoken. @internal */
export function closeRefused(request: PressureRequest, response: PressureResponse): void {
  if ((request.httpVersionMajor ?? 1) < 2 && !response.headersSent) {
    response.setHeader('connection', 'close')
  }
}

/** Closes the connection after this answer; one of HTTP/2 after all that are under way. @internal */
export function closeAfter(request: PressureRequest, response: PressureResponse): void {
  closeRefused(request, response)
  const { stream } = request as { stream?: { session?: Session } }
  if (stream?.session?.closed === false) stream.session.close?.()
}
