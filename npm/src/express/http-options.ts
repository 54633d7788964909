/** The options of the mode `http`. */
import { check, type Kind } from '../options.js'

/**
 * How the mode `http` treats requests. Times are in milliseconds.
 *
 * The application sees a Unix socket in place of the client, and is told of the client by headers:
 * Express reads them after `app.set('trust proxy', true)`.
 *
 * What is no HTTP/1 goes to one worker as it is, requests within TLS and HTTP/2 from the first byte on
 * (`PRI`, h2c) among it. No header of theirs is written or dropped: an `X-Forwarded-For` in them is the
 * client's own word, and nothing else says who it is. An application that takes such connections must
 * not believe it; who needs the address takes the mode `handoff` or `proxy`.
 *
 * @example
 * ```ts
 * import { createServer } from 'node:http'
 * import { startServer } from 'seawall/express'
 *
 * export async function main(): Promise<void> {
 *   const app = createServer((request, response) => {
 *     response.end(`hello, ${request.headers['x-forwarded-for']}`)
 *   })
 *   await startServer(app, { mode: 'http', http: { maxInFlight: 200, answerTimeoutMs: 30_000 } })
 * }
 * ```
 */
export interface HttpOptions {
  /**
   * How many requests a worker may have under way. Where every worker has as many, a request gets
   * 503 with `Retry-After` in native code. A WebSocket counts as one. Default 0: as many as come.
   */
  maxInFlight?: number | undefined
  /**
   * From which pressure of its own on (see `seawall/pressure`) a worker gets no more while another one
   * has less, above 0 to 1. Where all of them have reached it, a worker with nothing under way still
   * gets a request, and of the others a share gets 503: none at this pressure, growing to 95 % at 1.
   * The probes `/livez`, `/readyz`, `/startupz` and `/healthz` are never refused for it. Default 1:
   * only what cannot be borne, and then all of the share at once.
   */
  maxPressure?: number | undefined
  /**
   * How many workers a request is tried with. It is sent again only where the one before went away
   * without an answer and either nothing was sent, or its method may be carried out twice (GET, HEAD,
   * OPTIONS, TRACE, PUT, DELETE and the like) and none of its body is gone; else the client gets 502.
   * Default 3. 1: never again.
   */
  maxTries?: number | undefined
  /** How long the head of a request may take from its first byte on; then 408. Default 10,000. 0: for ever. */
  headTimeoutMs?: number | undefined
  /** For how long nothing of a body may come or be taken; then the client is gone. Default 30,000. 0: for ever. */
  stallTimeoutMs?: number | undefined
  /** How long a worker may take before its answer begins; then 504. Default 0: as long as it takes. */
  answerTimeoutMs?: number | undefined
  /** For how long a client's connection is kept without a request. Default 65,000. 0: for ever. */
  keepAliveMs?: number | undefined
  /** For how long a connection to a worker is kept without one. Default 4000. */
  workerKeepAliveMs?: number | undefined
  /** How many connections to each worker are kept without one. Default 256. 0: none. */
  maxIdle?: number | undefined
  /**
   * Whether clients may say where a request came from, because they are proxies of your own: their
   * `X-Forwarded-For` and `Forwarded` are added to, the others are kept. Default false: what they
   * say is dropped, since anybody can say anything.
   */
  trustForwarded?: boolean | undefined
  /**
   * By which headers the application is told of the client: `x-forwarded` (`X-Forwarded-For`,
   * `-Proto` and `-Host`), `forwarded` (RFC 7239), `both` or `none`. Default `x-forwarded`.
   */
  forwardedHeaders?: 'x-forwarded' | 'forwarded' | 'both' | 'none' | undefined
}

const FIELDS: Record<keyof HttpOptions, Kind> = {
  maxInFlight: 'number',
  maxPressure: 'number',
  maxTries: 'number',
  headTimeoutMs: 'number',
  stallTimeoutMs: 'number',
  answerTimeoutMs: 'number',
  keepAliveMs: 'number',
  workerKeepAliveMs: 'number',
  maxIdle: 'number',
  trustForwarded: 'boolean',
  forwardedHeaders: ['x-forwarded', 'forwarded', 'both', 'none'],
}

/** @throws OptionError for an option nobody knows or of the wrong type. @internal */
export function checkHttp(options: unknown): void {
  check('setServerConfig http', options, FIELDS)
}
