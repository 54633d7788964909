/** Which front a configuration asks for. */
import { processEngine } from '../engine/process/index.js'
import { SeawallError } from '../errors.js'
import type { ResolvedServerConfig } from './config.js'
import type { Ask, Front } from './front.js'
import { Handoff } from './handoff.js'
import { Http } from './http.js'
import { ProxyFront } from './proxy.js'

/**
 * The front of the mode; nothing where Node's own cluster spreads connections.
 *
 * @throws SeawallError where this platform, or the engine, has no such mode.
 * @internal
 */
export function frontOf(config: ResolvedServerConfig, ask: Ask): Front | undefined {
  const able = processEngine().frontStart !== undefined && process.platform !== 'win32'
  if (config.mode === 'handoff' && !able) {
    throw new SeawallError(
      'SEAWALL_ENGINE',
      'startServer: `mode` "handoff" needs the native addon on Unix; use "proxy" or "cluster" here',
    )
  }
  if (config.mode === 'proxy') {
    if (processEngine().proxyStart) return new ProxyFront(config, ask)
    throw new SeawallError(
      'SEAWALL_ENGINE',
      'startServer: `mode` "proxy" needs the native addon; use "cluster" here',
    )
  }
  if (config.mode === 'http') {
    if (processEngine().httpStart) return new Http(config, ask)
    throw new SeawallError(
      'SEAWALL_ENGINE',
      'startServer: `mode` "http" needs the native addon on Unix; use "proxy" or "cluster" here',
    )
  }
  return able && config.mode !== 'cluster' ? new Handoff(config, ask) : undefined
}
