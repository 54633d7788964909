/** Shedding in frameworks that stand on Node's request and response. */
import { IdleConnections } from './keep-alive.js'
import { closeAfter, nodeReader, type PressureRequest, type PressureResponse } from './node-http.js'
import type { Owned } from './owner.js'
import { RouteNames } from './route-names.js'
import { type Reader, type ShedAnswer, Shedder } from './shed.js'

/** Decides about requests; `R` is what the framework hands its middleware. @internal */
export class NodeShedding<R> {
  readonly shedder: Shedder<R>
  readonly #idle: IdleConnections
  readonly #routes: RouteNames

  /** @throws OptionError for an option that is unknown or of a wrong type */
  constructor(where: string, { monitor, shed }: Owned<R>, reader: Reader<R>) {
    this.shedder = new Shedder<R>(where, monitor, reader, shed)
    this.#idle = new IdleConnections(monitor)
    this.#routes = new RouteNames()
  }

  /** What a request is answered; `undefined`: it is served, which is noted. */
  meet(subject: R, request: PressureRequest, response: PressureResponse): ShedAnswer | undefined {
    const { shedder } = this
    const answer = shedder.decide(subject)
    this.#idle.look(request)
    if (answer !== undefined) return answer
    if (shedder.closes()) closeAfter(request, response)
    const { monitor } = shedder
    if (monitor.countsInFlight) {
      monitor.started()
      response.once('close', () => monitor.ended())
    }
    this.#routes.enter(request.method, nodeReader.path(request))
    return undefined
  }
}
