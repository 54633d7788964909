/**
 * What the plugin has of `seawall/pressure`. The plugin itself is CommonJS and light; this is loaded
 * when it is asked for.
 */
import type { FastifyBaseLogger, FastifyReply, FastifyRequest } from 'fastify'
import type { PressureMonitor, PressureOptions } from '../pressure/index.js'
import { enterRouteNumber, routeNumber, seesRoutes } from '../pressure/native.js'
import { closeAfter } from '../pressure/node-http.js'
import { ownedMonitor } from '../pressure/owner.js'
import { type Reader, type ShedAnswer, Shedder } from '../pressure/shed.js'
import type { RequestPriority } from '../pressure/shed-options.js'
import type { PressureShedOptions } from './options.js'

const reader: Reader<FastifyRequest> = {
  path: request => request.url,
  header: ({ headers }, name) => {
    const value = headers[name]
    return typeof value === 'string' ? value : value?.[0]
  },
  raw: ({ raw }) => raw.rawHeaders,
}

/** What a request says of itself; words are the shedder's to understand. */
function said(request: FastifyRequest): RequestPriority | undefined {
  const level = reader.header(request, 'x-failsafe-level')
  if (level !== undefined && /^\d{1,3}$/.test(level)) return Number(level)
  return reader.header(request, 'x-failsafe-priority') as RequestPriority | undefined
}

/** What the gate tells the plugin. */
export interface GateEvents {
  /** Whether requests of a route may not be refused, whatever the pressure. */
  exempt(route: FastifyRequest['routeOptions']): boolean
  /** A request was let in that would have been refused. */
  dry(cause: ShedAnswer['cause'], request: FastifyRequest): void
}

/** Lets requests in by the word of a monitor. */
export class Gate {
  readonly monitor: PressureMonitor
  readonly #shedder: Shedder<FastifyRequest>
  readonly #events: GateEvents
  readonly #cleanUp: (() => void)[]
  /** Whether only to tell of what a monitor refuses that was given, and may be in earnest for others. */
  readonly #dry: boolean
  /** The numbers of routes by their `config`, which each has of its own. */
  readonly #routes = new WeakMap<object, number>()
  #asking: FastifyRequest | undefined
  /** The route of the request asked about; Fastify makes this object each time it is asked for it. */
  #route: FastifyRequest['routeOptions'] | undefined

  /** @throws OptionError for an option that is unknown, of a wrong type or out of range */
  constructor(
    given: true | PressureMonitor | (PressureOptions & PressureShedOptions),
    shed: PressureShedOptions | undefined,
    dryRun: boolean,
    events: GateEvents,
  ) {
    const owned = ownedMonitor<FastifyRequest>(
      given === true ? { dryRun } : 'admit' in given ? given : { dryRun, ...given },
      shed,
    )
    this.monitor = owned.monitor
    this.#dry = dryRun && owned.monitor === given
    this.#events = events
    const { priority } = owned.shed
    this.#shedder = new Shedder('fastifyUnderPressure', owned.monitor, reader, {
      ...owned.shed,
      priority: request => {
        const { pressure } = (this.#route ?? request.routeOptions).config
        if (pressure && pressure.priority !== undefined) return pressure.priority
        return typeof priority === 'function' ? priority(request) : priority && said(request)
      },
    })
    const stopListening = owned.monitor.on('shed', ({ cause, dryRun }) => {
      if (dryRun && this.#asking) events.dry(cause, this.#asking)
    })
    this.#cleanUp = [stopListening, () => owned.dispose()]
  }

  /** Whether refusals are errors, for error handlers to answer. */
  get forwards(): boolean {
    return this.#shedder.forwards
  }

  /** Whether nobody is refused now. */
  get isCalm(): boolean {
    // To be asked of its level gives the monitor sight again where WASM's memory has moved.
    return this.monitor.isCalm || (this.monitor.level === 'normal' && this.monitor.isCalm)
  }

  /** The route of the request that was asked about last while there was pressure. */
  get route(): FastifyRequest['routeOptions'] | undefined {
    return this.#route
  }

  /** Why a request is not served; `undefined`: it is. */
  refusal(request: FastifyRequest, reply: FastifyReply): ShedAnswer | undefined {
    const { monitor } = this
    let answer: ShedAnswer | undefined
    if (monitor.isCalm) {
      // The thread may find pressure before this is decided: not by the route of another request.
      this.#route = undefined
      answer = this.#decide(request)
    } else {
      this.#route = request.routeOptions
      if (!this.#events.exempt(this.#route)) answer = this.#decide(request)
    }
    if (answer !== undefined) {
      if (!this.#dry || answer.cause === 'maintenance') return answer
      this.#events.dry(answer.cause, request)
    }
    this.#route = undefined
    if (seesRoutes()) this.#enter(request)
    if (this.#shedder.closes()) closeAfter(request.raw, reply.raw)
    if (monitor.countsInFlight) {
      monitor.started()
      reply.raw.once('close', () => monitor.ended())
    }
    return undefined
  }

  /** Notes which route is entered, so that a stall can tell who blocked. */
  #enter(request: FastifyRequest): void {
    const { config } = request.routeOptions
    let number = this.#routes.get(config)
    if (number === undefined) {
      const { method, url } = config as { method?: string | string[]; url?: string }
      number = routeNumber(url === undefined ? '(not found)' : `${method} ${url}`)
      this.#routes.set(config, number)
    }
    enterRouteNumber(number)
  }

  /** How much there is of what requests are refused for. */
  valueOf(cause: ShedAnswer['cause']): number | undefined {
    return cause === 'maintenance' ? undefined : this.monitor.signals()[cause]
  }

  #decide(request: FastifyRequest): ShedAnswer | undefined {
    this.#asking = request
    try {
      return this.#shedder.decide(request)
    } finally {
      this.#asking = undefined
    }
  }

  /** Logs how the pressure comes and goes. */
  logTo(log: FastifyBaseLogger): void {
    const { monitor } = this
    this.#cleanUp.push(
      monitor.on('change', ({ level, previous, pressure, signal }) => {
        const detail = { level, previous, pressure, signal }
        if (level === 'normal') log.info(detail, 'no longer under pressure')
        else log.warn(detail, 'under pressure')
      }),
      monitor.on('stall', ({ ms, count }) => {
        log.warn({ blockedMs: ms, count }, 'the event loop was blocked')
      }),
    )
  }

  close(): void {
    for (const clean of this.#cleanUp) clean()
  }
}
