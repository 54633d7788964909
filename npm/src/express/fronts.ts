/** Which front a configuration asks for. */
import { processEngine } from '../engine/process/index.js'
import { OptionError, SeawallError } from '../errors.js'
import { wantsSocket } from './balancers.js'
import type { ResolvedServerConfig } from './config.js'
import type { Ask, Front } from './front.js'
import { Handoff } from './handoff.js'
import { Http } from './http.js'
import { ProxyFront } from './proxy.js'

/** The mode that is asked for, by name or by what the balancer needs. */
function modeOf({ mode, loadBalancer }: ResolvedServerConfig): ResolvedServerConfig['mode'] {
  if (!wantsSocket(loadBalancer)) return mode
  if ((mode ?? 'proxy') === 'proxy' && process.platform !== 'win32') return 'proxy'
  throw new OptionError(
    'startServer: a `loadBalancer` of withSocket() needs the `mode` "proxy", on Unix: elsewhere there is no socket to give',
    'loadBalancer',
  )
}

/**
 * The front of the mode; nothing where Node's own cluster spreads connections.
 *
 * @throws SeawallError where this platform, or the engine, has no such mode; OptionError where the
 * balancer cannot be had in it.
 * @internal
 */
export function frontOf(config: ResolvedServerConfig, ask: Ask): Front | undefined {
  const able = processEngine().frontStart !== undefined && process.platform !== 'win32'
  const mode = modeOf(config)
  if (mode === 'handoff' && !able) {
    throw new SeawallError(
      'SEAWALL_ENGINE',
      'startServer: `mode` "handoff" needs the native addon on Unix; use "proxy" or "cluster" here',
    )
  }
  if (mode === 'proxy') {
    if (processEngine().proxyStart) return new ProxyFront(config, ask)
    throw new SeawallError(
      'SEAWALL_ENGINE',
      'startServer: `mode` "proxy" needs the native addon; use "cluster" here',
    )
  }
  if (mode === 'http') {
    if (processEngine().httpStart) return new Http(config, ask)
    throw new SeawallError(
      'SEAWALL_ENGINE',
      'startServer: `mode` "http" needs the native addon on Unix; use "proxy" or "cluster" here',
    )
  }
  return able && mode !== 'cluster' ? new Handoff(config, ask) : undefined
}
