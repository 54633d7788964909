import type { PressureMonitor } from './monitor.js'
import {
  closeRefused,
  nodeReader,
  type PressureRequest,
  type PressureResponse,
} from './node-http.js'
import { NodeShedding } from './node-shedding.js'
import type { PressureOptions } from './options.js'
import { ownedMonitor, owning, type PressureOwner } from './owner.js'
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
  const reader = {
    path: (context: C) => nodeReader.path(context.req),
    header: (context: C, name: string) => nodeReader.header(context.req, name),
    raw: (context: C) => context.req.rawHeaders,
  }
  const shedding = new NodeShedding<C>('pressureKoa', owned, reader)
  const middleware = async (context: C, next: () => Promise<unknown>): Promise<void> => {
    const { req, res } = context
    const answer = shedding.meet(context, req, res)
    if (answer === undefined) {
      await next()
      return
    }
    if (answer.close) closeRefused(req, res)
    if (shedding.shedder.forwards) throw shedding.shedder.error(answer)
    const { connection: _, ...headers } = answer.headers
    context.status = answer.status
    context.set(headers)
    context.body = answer.body
  }
  return owning(middleware, owned)
}
