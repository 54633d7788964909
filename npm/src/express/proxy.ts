/** The front of the mode `proxy`: bytes are carried between clients and workers by a native thread. */
import { processEngine } from '../engine/process/index.js'
import { seedOr } from '../seed.js'
import { wantsSocket } from './balancers.js'
import type { ResolvedServerConfig } from './config.js'
import { type Ask, balanceNumbers } from './front.js'
import { Relay } from './relay.js'

/** @internal */
export class ProxyFront extends Relay {
  constructor(config: ResolvedServerConfig, ask: Ask) {
    super('proxy', config, ask)
  }

  protected begin(ask: Ask | undefined): number | undefined {
    const { host, port, proxyThreads, workerConnectTimeoutMs, allowHalfOpen } = this.config
    const { proxyProtocol, loadBalancer } = this.config
    const { from } = proxyProtocol
    const settings = [
      proxyThreads,
      workerConnectTimeoutMs,
      Number(proxyProtocol.in === true),
      Number(proxyProtocol.out === true),
      Number(allowHalfOpen),
      Number(wantsSocket(loadBalancer)),
    ]
    return processEngine().proxyStart?.(
      host,
      port,
      balanceNumbers(this.config),
      Float64Array.from(settings),
      from === undefined ? undefined : [from].flat().map(String),
      seedOr(undefined),
      ask,
    )
  }
}
