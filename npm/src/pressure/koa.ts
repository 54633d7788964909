import type { PressureMonitor } from './monitor.js'
import {
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

/** The parts of Koa's context. */
export interface PressureKoaContext {
  readonly req: PressureRequest
  readonly res: PressureResponse
  status: number
  body: unknown
  set(headers: Record<string, string>): void
}

/** Middleware as Koa knows it. */
export type PressureKoaMiddleware<C> = ((
  context: C,
  next: () => Promise<unknown>,
) => Promise<void>) &
  PressureOwner

/**
 * Sheds requests in Koa, as {@link pressureMiddleware} does in Express. Put it first.
 *
 * @example
 * ```ts no_run
 * import Koa from 'koa'
 * import { pressureKoa } from 'seawall/pressure'
 *
 * const app = new Koa()
 * app.use(pressureKoa({ cohort: ctx => String(ctx.req.headers['x-tenant']) }))
 * app.use(ctx => { ctx.body = 'served' })
 * ```
 *
 * @throws OptionError for an option that is unknown, of a wrong type or out of range
 */
export function pressureKoa<C extends PressureKoaContext = PressureKoaContext>(
  given: PressureMonitor | (PressureOptions & ShedOptions<C>) = {},
  options?: ShedOptions<C>,
): PressureKoaMiddleware<C> {
  const owned = ownedMonitor(given, options)
  const { monitor } = owned
  const reader = {
    path: (context: C) => nodeReader.path(context.req),
    header: (context: C, name: string) => nodeReader.header(context.req, name),
  }
  const shedder = new Shedder<C>('pressureKoa', monitor, reader, owned.shed)
  const idle = new IdleConnections(monitor)
  const routes = new RouteNames()
  const middleware = async (context: C, next: () => Promise<unknown>): Promise<void> => {
    const { req, res } = context
    const answer = shedder.decide(context)
    idle.look(req)
    if (answer !== undefined) {
      if (answer.close) closeRefused(req, res)
      if (shedder.forwards) throw shedder.error(answer)
      const { connection: _, ...headers } = answer.headers
      context.status = answer.status
      context.set(headers)
      context.body = answer.body
      return
    }
    if (shedder.closes()) closeAfter(req, res)
    if (monitor.countsInFlight) {
      monitor.started()
      res.once('close', () => monitor.ended())
    }
    routes.enter(req.method, nodeReader.path(req))
    await next()
  }
  return owning(middleware, owned)
}
