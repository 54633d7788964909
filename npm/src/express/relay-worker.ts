/** A worker's end of a front that stays between client and worker: where it listens. */
import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { Server as HttpServer } from 'node:http'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { processEngine } from '../engine/process/index.js'
import { type ResolvedServerConfig, workerPortsAreSet } from './config.js'
import { introduceTo } from './introduced.js'
import type { Place } from './listen.js'
import { BOARDS, FOLDER, RELAY, SLOT } from './variables.js'

/** @internal */
export class RelayWorker {
  readonly place: Place
  readonly #introduced: boolean
  #memory: ArrayBuffer | undefined

  private constructor(place: Place, introduced: boolean) {
    this.place = place
    this.#introduced = introduced
  }

  /**
   * The worker's end, if there is such a front.
   *
   * @param owned whether the application opens its sockets itself, and so has to be told a port.
   */
  static async find(config: ResolvedServerConfig): Promise<RelayWorker | undefined> {
    const { [RELAY]: mode, [FOLDER]: folder, [SLOT]: slot } = process.env
    if (!mode || !folder) return undefined
    const { workerHost: host, baseWorkerPort } = config
    const introduced = mode === 'proxy' && processEngine().relayJoin !== undefined
    // Not of the cluster: what comes there must not pass through the primary's JavaScript. In the mode
    // `http` whoever reached the port could claim to be anybody.
    const exclusive = true
    if (workerPortsAreSet() && mode === 'proxy') {
      return new RelayWorker({ port: baseWorkerPort + Number(slot), host, exclusive }, introduced)
    }
    // Unix sockets: nobody else on the machine can connect, and the kernel has less to do.
    if (process.platform !== 'win32') {
      return new RelayWorker({ path: join(folder, `worker-${process.pid}`) }, introduced)
    }
    return new RelayWorker({ port: await freePort(host), host, exclusive }, introduced)
  }

  /** The words this worker tells of itself in; nothing where the engine has no such thing. */
  join(): ArrayBuffer | undefined {
    const { [BOARDS]: boards } = process.env
    if (boards) this.#memory = processEngine().relayJoin?.(join(boards, String(process.pid)))
    return this.#memory
  }

  /** Has `server` see who the clients are; to be called before anybody else listens to it. */
  attach(server: Server | undefined): void {
    if (server && this.#introduced) introduceTo(server)
    // The front ends them, when nothing is on its way: closed by both, a request could be lost.
    if (process.env[RELAY] === 'http' && server instanceof HttpServer) server.keepAliveTimeout = 0
  }

  /** What the front has to know. */
  async words(server: Server | undefined): Promise<{ address: string; introduced: boolean }> {
    return {
      address: await addressOf(this.place, server),
      introduced: this.#introduced && server !== undefined,
    }
  }
}

async function addressOf(place: Place, server: Server | undefined): Promise<string> {
  if ('path' in place) return place.path
  const { port } = (server?.address() as AddressInfo | null) ?? place
  const { address, family } = await lookup(place.host)
  return family === 6 ? `[${address}]:${port}` : `${address}:${port}`
}

/** A port that is free now; an application may not say which one it took. */
async function freePort(host: string): Promise<number> {
  const probe = createServer().listen({ port: 0, host, exclusive: true })
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  probe.close()
  await once(probe, 'close')
  return port
}
