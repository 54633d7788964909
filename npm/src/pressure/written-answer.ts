/**
 * Refusals that were written beforehand, head and body in one text.
 *
 * Node's `writeHead` looks at each header of each answer, and head and body are joined and encoded
 * anew each time, which makes the least refusal a tenth dearer than a "hello world" without headers of
 * its own. Node keeps the head it wrote in `_header` and writes no other where there is one, and none
 * at all where `_headerSent` says that it is gone; then `end` sends what it is given in one write. That
 * is done where the answer would be the same: nobody else has set a header or looks at what is
 * written, and the connection speaks HTTP/1.1 and stays. Elsewhere, and where a Node knows no
 * `_header`, `writeHead` is called.
 */
import { builtin } from './host.js'
import type { PressureRequest, PressureResponse } from './node-http.js'
import type { ShedAnswer } from './shed.js'

/** What Node keeps of an answer. */
interface Inner extends Omit<PressureResponse, 'end'> {
  end(text?: string, encoding?: 'latin1'): unknown
  _header?: string | null
  _headerSent?: boolean
  readonly shouldKeepAlive?: boolean
  readonly _expect_continue?: boolean
  readonly _sent100?: boolean
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
interface Functions {
  readonly writeHead?: unknown
  readonly end?: unknown
}
interface Http {
  readonly ServerResponse: { readonly prototype: Functions }
  readonly OutgoingMessage: { readonly prototype: Functions }
}
/** An answer, for which time of idle connections it was written, and in which second. @internal */
export interface WrittenAnswer {
  readonly timeout: number
  readonly second: number
  readonly head: string
  /** With the body. */
  readonly whole: string
}

const PHRASE = 'Service Unavailable'
let usual: Functions | undefined

/** Answers with what is written; false where that has to be done in the usual way. */
export function answerWritten(
  request: PressureRequest,
  response: PressureResponse,
  answer: ShedAnswer,
): boolean {
  const inner = response as unknown as Inner
  if (inner._header !== null || answer.close || inner.shouldKeepAlive !== true) return false
  if (inner.sendDate !== true || inner._headerSent !== false) return false
  // Who waits to be asked for the body may send it or not: `writeHead` ends that connection.
  if (inner._expect_continue && !inner._sent100) return false
  const server = (request.socket as { server?: Server } | undefined)?.server
  const timeout = server?.keepAliveTimeout
  if ((request as Inquiry).httpVersionMinor !== 1 || timeout === undefined) return false
  if (server?.maxRequestsPerSocket) return false
  const { writeHead, end } = functions()
  if (inner.writeHead !== writeHead || inner.end !== end) return false
  if (inner.getHeaderNames?.().length !== 0) return false
  const { head, whole } = written(answer, timeout)
  inner._header = head
  inner.statusCode = answer.status
  inner.statusMessage = PHRASE
  if (request.method === 'HEAD') {
    inner.end()
  } else {
    inner._headerSent = true
    inner.end(whole, 'latin1')
  }
  return true
}

/** Node's own functions. */
function functions(): Functions {
  if (usual === undefined) {
    const http = builtin<Http>('node:http')
    const { writeHead } = http?.ServerResponse.prototype ?? {}
    const { end } = http?.OutgoingMessage.prototype ?? {}
    usual = { writeHead: own(writeHead, '_storeHeader('), end: own(end, '_send(') }
  }
  return usual
}

/** Node's own function, told by what it calls; none where an agent has wrapped it. */
function own(fn: unknown, calls: string): unknown {
  const isOwn = typeof fn === 'function' && Function.prototype.toString.call(fn).includes(calls)
  return isOwn ? fn : null
}

function written(answer: ShedAnswer, timeout: number): WrittenAnswer {
  const known = answer.written
  const second = Math.floor(Date.now() / 1000)
  if (known?.timeout === timeout && known.second === second) return known
  const lines = Object.entries(answer.headers).map(([name, value]) => `${name}: ${value}`)
  lines.push(`Date: ${new Date(second * 1000).toUTCString()}`, 'Connection: keep-alive')
  if (timeout > 0) lines.push(`Keep-Alive: timeout=${Math.floor(timeout / 1_000)}`)
  const head = `HTTP/1.1 ${answer.status} ${PHRASE}\r\n${lines.join('\r\n')}\r\n\r\n`
  answer.written = { timeout, second, head, whole: head + answer.body }
  return answer.written
}
