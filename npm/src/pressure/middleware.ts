import type { PressureMonitor } from './monitor.js'
import {
  answerNode,
  closeAfter,
  closeRefused,
  IdleConnections,
  nodeReader,
  type PressureRequest,
  type PressureResponse,
} from './node-http.js'
import type { PressureOptions } from './options.js'
import { ownedMonitor, owning, type PressureOwner } from './owner.js'
import { RouteNames } from './route-names.js'
import { Shedder } from './shed.js'
import type { ShedOptions } from './shed-options.js'

/** Middleware as Express and Connect know it. */
export type PressureMiddleware<R> = ((
  request: R,
  response: PressureResponse,
  next: (error?: unknown) => void,
) => void) &
  PressureOwner

/**
 * Sheds requests in Express 4 and 5, Connect, and a plain `node:http` server. Put it before
 * everything that reads bodies.
 *
 * Under pressure a request gets 503 at once, the less important ones first, with a `Retry-After`
 * that differs from request to request; a share of the connections is closed, and idle ones are kept
 * for a shorter time. Without pressure it reads one number.
 *
 * @param given - a monitor, or the options of one of its own, which disposing of the middleware
 * disposes of
 *
 * @example
 * ```ts no_run
 * import express from 'express'
 * import { pressureMiddleware } from 'seawall/pressure'
 *
 * const app = express()
 * app.use(pressureMiddleware({ priority: req => (req.url?.startsWith('/pay') ? 'high' : 'medium') }))
 * app.get('/', (_, res) => res.send('served'))
 * ```
 *
 * @example
 * ```ts
 * import { createServer } from 'node:http'
 * import { PressureMonitor, pressureMiddleware } from 'seawall/pressure'
 *
 * const monitor = new PressureMonitor()
 * const shed = pressureMiddleware(monitor, { bypass: ['/livez'] })
 * const server = createServer((req, res) => shed(req, res, () => res.end('served')))
 * ```
 *
 * @throws OptionError for an option that is unknown, of a wrong type or out of range
 */
export function pressureMiddleware<R extends PressureRequest = PressureRequest>(
  given: PressureMonitor | (PressureOptions & ShedOptions<R>) = {},
  options?: ShedOptions<R>,
): PressureMiddleware<R> {
  const owned = ownedMonitor(given, options)
  const { monitor } = owned
  const shedder = new Shedder<R>('pressureMiddleware', monitor, nodeReader, owned.shed)
  const idle = new IdleConnections(monitor)
  const routes = new RouteNames()
  const middleware = (
    request: R,
    response: PressureResponse,
    next: (error?: unknown) => void,
  ): void => {
    const answer = shedder.decide(request)
    idle.look(request)
    if (answer === undefined) {
      if (shedder.closes()) closeAfter(request, response)
      if (monitor.countsInFlight) {
        monitor.started()
        response.once('close', () => monitor.ended())
      }
      routes.enter(request.method, nodeReader.path(request))
      next()
    } else if (shedder.forwards) {
      if (answer.close) closeRefused(request, response)
      next(shedder.error(answer))
    } else {
      answerNode(request, response, answer)
    }
  }
  return owning(middleware, owned)
}
