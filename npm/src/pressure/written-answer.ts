/**
 * The head of a refusal, written beforehand.
 *
 * Node's `writeHead` looks at each header of each answer, which makes the least refusal a tenth dearer
 * than a "hello world" without headers of its own. Node keeps what it wrote in `_header`, and does not
 * write another where there is one; a head that is put there costs nothing. That is done where the
 * answer would be the same: nobody else has set a header or looks at `writeHead`, and the connection
 * speaks HTTP/1.1 and stays. Elsewhere, and where a Node knows no `_header`, `writeHead` is called.
 */
import { builtin } from './host.js'
import type { PressureRequest, PressureResponse } from './node-http.js'
import type { ShedAnswer } from './shed.js'

/** What Node keeps of an answer. */
interface Inner extends PressureResponse {
  _header?: string | null
  readonly shouldKeepAlive?: boolean
  readonly sendDate?: boolean
  statusCode: number
  statusMessage?: string
  getHeaderNames?(): readonly string[]
}
interface Inquiry extends PressureRequest {
  readonly httpVersionMinor?: number
}
interface Server {
  readonly keepAliveTimeout?: number
  readonly maxRequestsPerSocket?: number | null
}
/** A head, for which time of idle connections it was written, and in which second. @internal */
export interface WrittenHead {
  readonly timeout: number
  readonly second: number
  readonly head: string
}

const PHRASE = 'Service Unavailable'
let writeHead: unknown

/** Puts the head there; false where it has to be written in the usual way. */
export function putHead(
  request: PressureRequest,
  response: PressureResponse,
  answer: ShedAnswer,
): boolean {
  const inner = response as Inner
  if (inner._header !== null || answer.close || inner.shouldKeepAlive !== true) return false
  if (inner.sendDate !== true) return false
  const server = (request.socket as { server?: Server } | undefined)?.server
  const timeout = server?.keepAliveTimeout
  if ((request as Inquiry).httpVersionMinor !== 1 || timeout === undefined) return false
  if (server?.maxRequestsPerSocket || inner.writeHead !== usual()) return false
  if (inner.getHeaderNames?.().length !== 0) return false
  inner._header = headOf(answer, timeout)
  inner.statusCode = answer.status
  inner.statusMessage = PHRASE
  return true
}

/** The function that nobody has put another in the place of. */
function usual(): unknown {
  writeHead ??= builtin<{ ServerResponse: { prototype: { writeHead: unknown } } }>('node:http')
    ?.ServerResponse.prototype.writeHead
  return writeHead
}

function headOf(answer: ShedAnswer, timeout: number): string {
  const known = answer.written
  const second = Math.floor(Date.now() / 1000)
  if (known?.timeout === timeout && known.second === second) return known.head
  const lines = Object.entries(answer.headers).map(([name, value]) => `${name}: ${value}`)
  lines.push(`Date: ${new Date(second * 1000).toUTCString()}`, 'Connection: keep-alive')
  if (timeout > 0) lines.push(`Keep-Alive: timeout=${Math.floor(timeout / 1_000)}`)
  const head = `HTTP/1.1 ${answer.status} ${PHRASE}\r\n${lines.join('\r\n')}\r\n\r\n`
  answer.written = { timeout, second, head }
  return head
}
