import { checkServerOptions, hasThreads, type ProbeServerOptions } from './probe-options.js'

/** Where a server listens: as `server.address()` of `node:net` says it. */
export type ProbeAddress = { address: string; family: 'IPv4' | 'IPv6'; port: number } | string

/** What has happened at a probe server. */
export interface ProbeCounts {
  /** Connections that are open. */
  open: number
  /** Connections it has accepted. */
  accepted: number
  /** Connections closed to make room for others. */
  displaced: number
  /** Requests answered. */
  answered: number
  /** What was refused as no request. */
  refused: number
}

/** A server that runs until it is closed. It keeps no process alive. */
export interface ProbeServer extends Disposable, AsyncDisposable {
  /** Who answers: a native thread, also while JavaScript cannot, or JavaScript. */
  readonly kind: 'native' | 'javascript'
  /** Where it listens. */
  address(): ProbeAddress
  counts(): ProbeCounts
  /** Closes it and its connections; its port is free when this resolves. */
  close(): Promise<void>
}

/**
 * Starts a server of its own for probes and metrics. Where there are threads, one of them answers,
 * also while JavaScript blocks the event loop: then readiness says for how long, and liveness
 * stays good until `livenessBlockMs`. Elsewhere JavaScript serves the same paths.
 *
 * `/livez`, `/readyz`, `/startupz` and `/healthz` (readiness once more) are answered with 200 or 503
 * and JSON ({@link ProbeBody}), `/metrics` with the text format of Prometheus.
 *
 * A check without an interval is run by whoever asks in JavaScript, not by this server.
 *
 * @throws OptionError (as a rejection) for an option that is unknown, of a wrong type or out of
 * range; SeawallError with the code `SEAWALL_LISTEN` if it cannot listen.
 *
 * @example
 * ```ts
 * import { HealthChecks, startProbeServer } from 'seawall/health'
 *
 * using checks = new HealthChecks()
 * checks.add('self', () => true)
 * await using probes = await startProbeServer({ port: 0, host: '127.0.0.1', checks })
 * const { port } = probes.address() as { port: number }
 * console.log(probes.kind, (await fetch(`http://127.0.0.1:${port}/readyz`)).status) // native 200
 * ```
 */
export async function startProbeServer(options: ProbeServerOptions): Promise<ProbeServer> {
  checkServerOptions(options)
  const kind = options.kind ?? (hasThreads() ? 'native' : 'javascript')
  if (kind === 'native') {
    const { openNative } = await import('./probe-native.js')
    return openNative(options)
  }
  const { openJavaScript } = await import('./probe-javascript.js')
  return openJavaScript(options)
}
