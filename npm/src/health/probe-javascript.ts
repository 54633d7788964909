import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { systemClock } from '../clock.js'
import { processEngine } from '../engine/process/index.js'
import { optionProblem, SeawallError } from '../errors.js'
import { report } from '../events.js'
import { LEVELS } from '../pressure/explain.js'
import { timersEndWithRequest } from '../timer.js'
import { bodyOf, pathOf } from './body.js'
import { checksParts, HealthChecks } from './checks.js'
import { removeLeftOver } from './left-over.js'
import { metricsText } from './metrics.js'
import {
  limitsOf,
  listenError,
  monitorOf,
  type ProbeRoute,
  type ProbeServerOptions,
  serverRoutes,
} from './probe-options.js'
import type { ProbeAddress, ProbeCounts, ProbeServer } from './probe-server.js'
import type { HealthVerdict } from './report.js'
import { type HealthKind, KINDS } from './words.js'

const MOST_CONNECTIONS = 256
const HEAD_MS = 5000

/** A server in JavaScript, for where there are no threads: it answers while JavaScript does. @internal */
export async function openJavaScript(options: ProbeServerOptions): Promise<ProbeServer> {
  // Not imported: a bundle for browsers would have to know it.
  const http = globalThis.process?.getBuiltinModule?.('node:http')
  // What Workers call a server (with `nodejs_compat`) listens nowhere.
  if (http?.createServer === undefined || timersEndWithRequest(systemClock)) throw noServers()
  const { details = true } = options
  const limits = limitsOf(options)
  refuse(limits, options)
  const own = options.checks ? undefined : new HealthChecks()
  const checks = options.checks ?? (own as HealthChecks)
  const parts = checksParts(checks)
  const [monitor, release] = monitorOf(options)
  const routes = serverRoutes(options.paths)
  const counts: ProbeCounts = { open: 0, accepted: 0, displaced: 0, answered: 0, refused: 0 }

  const verdict = (kind: HealthKind): HealthVerdict =>
    parts.judge(kind, limits, LEVELS.indexOf(monitor.level))

  const text = (route: ProbeRoute): [status: number, type: string, text: string] => {
    if (route === 'metrics') {
      const verdicts = KINDS.map(verdict)
      const reports = checks.report().checks
      const type = 'text/plain; version=0.0.4; charset=utf-8'
      return [200, type, metricsText(verdicts, reports, counts, monitor)]
    }
    const answer = verdict(route)
    const body = { ...bodyOf(checks, answer, details), blockedMs: 0, pressure: monitor.level }
    return [answer.passing ? 200 : 503, 'application/json', `${JSON.stringify(body)}\n`]
  }

  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    counts.answered++
    const { method } = request
    const route = routes.get(pathOf(request.url ?? '/'))
    response.setHeader('cache-control', 'no-store')
    let answer: [number, string, string] = [404, 'text/plain', 'not found\n']
    if (method !== 'GET' && method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD')
      response.setHeader('connection', 'close')
      answer = [405, 'text/plain', '']
    } else if (route !== undefined) {
      try {
        answer = text(route)
      } catch {
        // The checks were disposed of: the service is at its end.
        answer = [503, 'application/json', '{"status":"fail"}\n']
      }
    }
    const [status, type, body] = answer
    response.statusCode = status
    response.setHeader('content-type', type)
    response.setHeader('content-length', new TextEncoder().encode(body).length)
    response.end(method === 'HEAD' ? undefined : body)
  }

  const letGo = (): void => {
    own?.[Symbol.dispose]()
    release()
  }
  const { createServer } = http
  const server: Server = createServer(
    { headersTimeout: HEAD_MS, requestTimeout: HEAD_MS, keepAliveTimeout: HEAD_MS },
    handle,
  )
  server.maxConnections = MOST_CONNECTIONS
  server.on('connection', (socket: Socket) => {
    socket.unref?.()
    counts.accepted++
    counts.open++
    socket.once('close', () => counts.open--)
  })
  server.on('clientError', (_error, socket) => {
    counts.refused++
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n')
    else socket.destroy()
  })
  try {
    await listen(server, options)
  } catch (error) {
    letGo()
    throw listenError(options, error)
  }
  // One of a connection that could not be accepted: others can be.
  server.on('error', error => report(error, 'startProbeServer: its server'))
  server.unref?.()
  const address = server.address() as ProbeAddress

  let closed: Promise<void> | undefined
  const close = (): Promise<void> => {
    closed ??= new Promise(resolve => {
      letGo()
      server.close(() => resolve())
      server.closeAllConnections?.()
    })
    return closed
  }
  return {
    kind: 'javascript',
    address: () => address,
    counts: () => ({ ...counts }),
    close,
    [Symbol.dispose]: () => void close(),
    [Symbol.asyncDispose]: close,
  }
}

/** Listens, in the place of a socket file that was left over. */
async function listen(server: Server, options: ProbeServerOptions): Promise<void> {
  const { socketPath } = options
  try {
    await listenOnce(server, options)
  } catch (error) {
    const { code } = error as { code?: string }
    if (socketPath === undefined || code !== 'EADDRINUSE') throw error
    if (!(await removeLeftOver(socketPath))) throw error
    await listenOnce(server, options)
  }
}

function listenOnce(server: Server, options: ProbeServerOptions): Promise<void> {
  const { port, socketPath, host } = options
  return new Promise((resolve, reject) => {
    const listening = (): void => {
      server.off('error', failed)
      resolve()
    }
    const failed = (error: Error): void => {
      server.off('listening', listening)
      reject(error)
    }
    server.once('listening', listening)
    server.once('error', failed)
    if (socketPath === undefined) server.listen(port, host)
    else server.listen(socketPath)
  })
}

function noServers(): SeawallError {
  const message =
    'startProbeServer: this runtime has no servers of its own (node:http); call `healthHandler` of seawall/health in your request handler'
  return new SeawallError('SEAWALL_RUNTIME', message)
}

/** @throws OptionError for limits that the engine refuses. */
function refuse(limits: Float64Array, options: ProbeServerOptions): void {
  const core = processEngine()
  const none = core.healthNew(0)
  const answer = core.healthVerdict(none, 0, limits, Number.NaN, Number.NaN, 0)
  core.healthFree(none)
  if (answer.length === 0) throw optionProblem('startProbeServer', options, core)
}
