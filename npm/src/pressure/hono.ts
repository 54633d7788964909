import { IdleConnections } from './keep-alive.js'
import type { PressureMonitor } from './monitor.js'
import type { PressureRequest } from './node-http.js'
import type { PressureOptions } from './options.js'
import { ownedMonitor, owning, type PressureOwner } from './owner.js'
import { RouteNames } from './route-names.js'
import { Shedder } from './shed.js'
import type { ShedOptions } from './shed-options.js'

/** The parts of Hono's context. */
export interface PressureHonoContext {
  readonly req: {
    readonly method?: string
    readonly path: string
    header(name: string): string | undefined
  }
  header(name: string, value: string): void
}

/** Middleware as Hono knows it. */
export type PressureHonoMiddleware<C> = ((
  context: C,
  next: () => Promise<void>,
  // biome-ignore lint/suspicious/noConfusingVoidType: Hono's own type of middleware.
) => Promise<Response | void>) &
  PressureOwner

/**
 * Sheds requests in Hono, as {@link pressureMiddleware} does in Express. Put it first. What runs
 * Hono decides what becomes of `connection: close`; on Node that is `@hono/node-server`.
 *
 * @example
 * ```ts no_run
 * import { Hono } from 'hono'
 * import { pressureHono } from 'seawall/pressure'
 *
 * const app = new Hono()
 * app.use(pressureHono({ bypass: ['/livez', '/metrics'] }))
 * app.get('/', c => c.text('served'))
 * ```
 *
 * @throws OptionError for an option that is unknown, of a wrong type or out of range
 */
export function pressureHono<C extends PressureHonoContext = PressureHonoContext>(
  given: PressureMonitor | (PressureOptions & ShedOptions<C>) = {},
  options?: ShedOptions<C>,
): PressureHonoMiddleware<C> {
  const owned = ownedMonitor(given, options)
  const { monitor } = owned
  const reader = {
    path: (context: C) => context.req.path,
    header: (context: C, name: string) => context.req.header(name),
  }
  const shedder = new Shedder<C>('pressureHono', monitor, reader, owned.shed)
  const routes = new RouteNames()
  const idle = new IdleConnections(monitor)
  // biome-ignore lint/suspicious/noConfusingVoidType: Hono's own type of middleware.
  const middleware = async (context: C, next: () => Promise<void>): Promise<Response | void> => {
    const answer = shedder.decide(context)
    const { incoming } = (context as { env?: { incoming?: PressureRequest } }).env ?? {}
    if (incoming) idle.look(incoming)
    if (answer !== undefined) {
      if (shedder.forwards) throw shedder.error(answer)
      return new Response(answer.body, { status: answer.status, headers: { ...answer.headers } })
    }
    if (shedder.closes()) context.header('connection', 'close')
    routes.enter(context.req.method, context.req.path)
    if (!monitor.countsInFlight) return next()
    monitor.started()
    try {
      await next()
    } finally {
      monitor.ended()
    }
  }
  return owning(middleware, owned)
}
