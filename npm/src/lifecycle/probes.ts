/** The routes that Kubernetes asks whether a process is ready and alive. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { describe, OptionError } from '../errors.js'
import { asked } from '../events.js'
import { check } from '../options.js'
import { type Lifecycle, lifecycle, type Unregister } from './lifecycle.js'

/** Says whether something is connected; a promise counts as no. */
export type IsConnected = () => boolean

/** Where the probes are, and what they answer. */
export interface ProbeOptions {
  /** Whose readiness they tell. Default the one of this process. */
  lifecycle?: Lifecycle | undefined
  /**
   * The status of a probe that fails. Default 503, which says that it may be otherwise later; 500 is
   * what the hand-written servers that these routes come from answer.
   */
  status?: number | undefined
  /** Default `/api/probe/ready`. */
  readyPath?: string | undefined
  /** Default `/api/probe/live`. */
  livePath?: string | undefined
  /**
   * Whether there has to be a server that listens: what was given to {@link Probes.addServer}, or to
   * `lifecycle.add()` and says whether it is listening. Default true.
   */
  requireServer?: boolean | undefined
}

/** What a probe answers. */
export interface ProbeAnswer {
  status: number
  text: string
}

type Next = (error?: unknown) => void

/** Probes as middleware: answers the two routes, and whether it did. */
export type ProbeRouter = (
  request: IncomingMessage,
  response: ServerResponse,
  next?: Next,
) => boolean

/**
 * The readiness and the liveness of a process, as routes of its own server. Mount the router before
 * everything else: what sheds load or asks who is there is no business of probes.
 *
 * | route | answer |
 * |---|---|
 * | `/api/probe/ready` | `Service is closing`: it is shutting down, or an unrecoverable error was set |
 * | | `Databases not (yet?) connected`: one of them is not |
 * | | `HTTP server(s) not ready`: there is none, or one does not listen |
 * | | else 200 `ready` |
 * | `/api/probe/live` | `Unrecoverable error: <message>`, else 200 `live` |
 *
 * @example
 * ```ts
 * import { createServer } from 'node:http'
 * import { lifecycle, probes } from 'seawall/lifecycle'
 *
 * const health = probes()
 * const server = createServer((request, response) => {
 *   if (health.router(request, response)) return
 *   response.end('hello')
 * })
 * health.addServer(server)
 * ```
 */
export class Probes {
  readonly #lifecycle: Lifecycle
  readonly #status: number
  readonly #paths: Map<string, () => ProbeAnswer>
  readonly #requireServer: boolean
  readonly #databases = new Set<IsConnected>()
  readonly #servers = new Set<IsConnected>()

  /** @throws OptionError for an option that is unknown or of a wrong type */
  constructor(options: ProbeOptions = {}) {
    check('probes', options, {
      lifecycle: 'object',
      status: 'integer',
      readyPath: 'string',
      livePath: 'string',
      requireServer: 'boolean',
    })
    const { readyPath = '/api/probe/ready', livePath = '/api/probe/live' } = options
    this.#lifecycle = options.lifecycle ?? lifecycle()
    this.#status = options.status ?? 503
    this.#requireServer = options.requireServer ?? true
    this.#paths = new Map([
      [readyPath, () => this.ready()],
      [livePath, () => this.live()],
    ])
  }

  /** What readiness answers now. */
  ready(): ProbeAnswer {
    if (!this.#lifecycle.ready()) return this.#no('Service is closing')
    if (!all(this.#databases)) return this.#no('Databases not (yet?) connected')
    const servers = [...this.#servers, ...listening(this.#lifecycle)]
    if ((this.#requireServer && servers.length === 0) || !all(servers)) {
      return this.#no('HTTP server(s) not ready')
    }
    return { status: 200, text: 'ready' }
  }

  /** What liveness answers now. Neither load nor a shutdown is a reason to be killed. */
  live(): ProbeAnswer {
    const { unrecoverable } = this.#lifecycle
    return unrecoverable
      ? this.#no(`Unrecoverable error: ${unrecoverable.message}`)
      : { status: 200, text: 'live' }
  }

  /**
   * A database that has to be connected: a function that says whether it is, or a client that does, as
   * those of mongoose, MongoDB's connections, ioredis, redis and everything with a `connected` do.
   *
   * @throws OptionError for a client that does not say
   */
  addDatabase(database: IsConnected | object): Unregister {
    return kept(this.#databases, connected(database))
  }

  /** A server that has to listen: of Node, or a `ServerTracker`. */
  addServer(server: object): Unregister {
    const listens = isListening(server)
    if (!listens) {
      throw new OptionError('probes: a server must say whether it is listening', 'server')
    }
    return kept(this.#servers, listens)
  }

  /** {@link Lifecycle.setUnrecoverableError} of its lifecycle. */
  setUnrecoverableError(error: Error): void {
    this.#lifecycle.setUnrecoverableError(error)
  }

  /** For Express (`app.use(probes.router)`), and for handlers of `node:http`. */
  readonly router: ProbeRouter = (request, response, next) => {
    const { originalUrl } = request as { originalUrl?: string }
    const [path = ''] = (originalUrl ?? request.url ?? '').split('?')
    const answer = this.#paths.get(path)
    if (!answer || (request.method !== 'GET' && request.method !== 'HEAD')) {
      next?.()
      return false
    }
    const { status, text } = answer()
    response.writeHead(status, {
      'content-type': 'text/plain; charset=utf-8',
      'content-length': Buffer.byteLength(text),
      'cache-control': 'no-store',
    })
    response.end(request.method === 'HEAD' ? undefined : text)
    return true
  }

  #no(text: string): ProbeAnswer {
    return { status: this.#status, text }
  }
}

/** Probes of this process; see {@link Probes}. */
export function probes(options?: ProbeOptions): Probes {
  return new Probes(options)
}

function all(questions: Iterable<IsConnected>): boolean {
  for (const question of questions) {
    if (asked(question, false, 'probes') !== true) return false
  }
  return true
}

function kept(set: Set<IsConnected>, question: IsConnected): Unregister {
  // Twice the same function are two registrations.
  const own = (): boolean => question()
  set.add(own)
  const undo = (): void => void set.delete(own)
  return Object.assign(() => undo(), { [Symbol.dispose]: undo })
}

/** Of what the lifecycle brings to its end, what says whether it listens. */
function listening(life: Lifecycle): IsConnected[] {
  return life.drainables.map(isListening).filter(question => question !== undefined)
}

interface Says {
  isListening?: unknown
  listening?: unknown
  connected?: unknown
  isReady?: unknown
  status?: unknown
  readyState?: unknown
  connection?: Says
}

function isListening(server: object): IsConnected | undefined {
  const says = server as Says
  if (typeof says.isListening === 'function') {
    const ask = says.isListening as () => unknown
    return () => ask.call(server) === true
  }
  if (typeof says.isListening === 'boolean') return () => says.isListening === true
  if (typeof says.listening === 'boolean') return () => says.listening === true
  return undefined
}

function connected(database: IsConnected | object): IsConnected {
  if (typeof database === 'function') {
    const { readyState } = (database as Says).connection ?? {}
    if (readyState === undefined) return database as IsConnected
  }
  const says = database as Says
  const connection = says?.connection ?? says
  // mongoose: 1 is connected, and a module of it stands for its first connection.
  if (typeof connection?.readyState === 'number') return () => connection.readyState === 1
  if (typeof says?.isReady === 'boolean') return () => says.isReady === true
  if (typeof says?.connected === 'boolean') return () => says.connected === true
  if (typeof says?.status === 'string') return () => says.status === 'ready'
  throw new OptionError(
    `probes: a database must be a function, or a client that says whether it is connected, got ${describe(database)}`,
    'database',
  )
}
