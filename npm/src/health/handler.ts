import { report } from '../events.js'
import { check, type Kind } from '../options.js'
import { bodyOf, type ProbePaths, pathOf, routesOf } from './body.js'
import type { HealthChecks } from './checks.js'

/** What {@link healthHandler} answers, and where. */
export interface HealthHandlerOptions {
  /** The paths, each exactly as a request has it. */
  paths?: ProbePaths | undefined
  /**
   * Whether an answer tells of each check with its messages, which may name hosts. Default true; the
   * status and the reason are always there.
   */
  details?: boolean | undefined
}

/** The part of Node's request that is looked at. */
export interface ProbeRequest {
  readonly method?: string | undefined
  readonly url?: string | undefined
}

/** The part of Node's response that is used. */
export interface ProbeResponse {
  statusCode: number
  readonly headersSent?: boolean
  readonly writableEnded?: boolean
  setHeader(name: string, value: string): unknown
  end(text?: string): unknown
}

/** Answers probes; see {@link healthHandler}. */
export interface HealthHandler {
  /**
   * For `node:http`, Express and what is like them: answers and says `true`, or calls `next`, if
   * there is one, and says `false`.
   */
  (request: ProbeRequest, response: ProbeResponse, next?: () => void): boolean
  /** For `fetch`-style servers: the answer, nothing for another path. */
  (request: Request): Promise<Response | undefined>
}

const FIELDS: Record<string, Kind> = { paths: 'object', details: 'boolean' }
const PATHS: Record<string, Kind> = {
  liveness: 'any',
  readiness: 'any',
  startup: 'any',
  health: 'any',
}

interface Answer {
  status: number
  headers: Record<string, string>
  text: string
}

/**
 * Answers `/livez`, `/readyz`, `/startupz` and `/healthz` from a set of checks: 200 or 503, with JSON
 * that says why. Put it before whatever refuses requests, so that probes are never shed.
 *
 * It runs where your application runs: while that blocks the event loop, nothing answers. A server
 * that does is {@link startProbeServer}.
 *
 * @throws OptionError for an option that is unknown or of a wrong type.
 *
 * @example
 * ```ts
 * import { createServer } from 'node:http'
 * import { HealthChecks, healthHandler } from 'seawall/health'
 *
 * using checks = new HealthChecks()
 * const health = healthHandler(checks)
 * const server = createServer((req, res) => {
 *   if (!health(req, res)) res.end('hello')
 * })
 * // Express: app.use(health)
 * // Hono:    app.use(async (c, next) => (await health(c.req.raw)) ?? next())
 * server.listen(0, () => server.close())
 * ```
 */
export function healthHandler(
  checks: HealthChecks,
  options: HealthHandlerOptions = {},
): HealthHandler {
  check('healthHandler', options, FIELDS)
  check('healthHandler paths', options.paths, PATHS)
  const routes = routesOf(options.paths)
  const { details = true } = options

  async function answer(
    kind: Parameters<HealthChecks['check']>[0],
    method: string,
  ): Promise<Answer> {
    const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' }
    if (method !== 'GET' && method !== 'HEAD') {
      return { status: 405, headers: { ...headers, allow: 'GET, HEAD' }, text: '' }
    }
    let status = 503
    let text = '{"status":"fail"}'
    try {
      const verdict = await checks.check(kind)
      status = verdict.passing ? 200 : 503
      text = JSON.stringify(bodyOf(checks, verdict, details))
    } catch {
      // Disposed of: the service is at its end.
    }
    return { status, headers, text: method === 'HEAD' ? '' : text }
  }

  function handle(
    request: ProbeRequest | Request,
    response?: ProbeResponse,
    next?: () => void,
  ): boolean | Promise<Response | undefined> {
    const { url = '/', method = 'GET' } = request
    const kind = routes.get(pathOf(url))
    if (response === undefined) return fetched(kind, method)
    if (kind === undefined) {
      next?.()
      return false
    }
    answer(kind, method)
      .then(({ status, headers, text }) => {
        // Somebody did not want to wait for the checks, such as a middleware with a time limit.
        if (response.headersSent || response.writableEnded) return
        response.statusCode = status
        for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
        response.end(text)
      })
      .catch(error => report(error, 'healthHandler: the response'))
    return true
  }

  async function fetched(
    kind: Parameters<HealthChecks['check']>[0] | undefined,
    method: string,
  ): Promise<Response | undefined> {
    if (kind === undefined) return undefined
    const { status, headers, text } = await answer(kind, method)
    return new Response(method === 'HEAD' || status === 405 ? null : text, { status, headers })
  }

  return handle as HealthHandler
}
