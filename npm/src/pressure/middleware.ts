import type { PressureMonitor } from './monitor.js'
import {
  answerNode,
  closeRefused,
  nodeReader,
  type PressureRequest,
  type PressureResponse,
} from './node-http.js'
import { NodeShedding } from './node-shedding.js'
import type { PressureOptions } from './options.js'
import { ownedMonitor, owning, type PressureOwner } from './owner.js'
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
  const shedding = new NodeShedding<R>('pressureMiddleware', owned, nodeReader)
  const { shedder } = shedding
  const middleware = (
    request: R,
    response: PressureResponse,
    next: (error?: unknown) => void,
  ): void => {
    const answer = shedding.meet(request, request, response)
    if (answer === undefined) {
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
