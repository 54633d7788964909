// A balancer of connections that learns late who is ready, as those of clusters do.
import { once } from 'node:events'
import net from 'node:net'

export class Balancer {
  #lagMs
  #backends = []
  #servers = []
  #next = 0
  /** The ports of the clients whose connections reached a process. */
  reached = new Set()
  /** How many connections had to be tried anew. */
  redispatched = 0

  /** @param lagMs how long after a process says that it is not ready it still gets connections */
  constructor(lagMs) {
    this.#lagMs = lagMs
  }

  /** Listens once for each of the ports that a backend has; answers with its own. */
  async listen(count) {
    for (let which = 0; which < count; which++) {
      const server = net.createServer({ allowHalfOpen: true, noDelay: true }, socket =>
        this.#accept(socket, which),
      )
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      this.#servers.push(server)
    }
    return this.#servers.map(server => server.address().port)
  }

  add(backend) {
    this.#backends.push(backend)
  }

  /** Takes a backend out, when word of it has come round. */
  remove(backend) {
    setTimeout(() => {
      this.#backends = this.#backends.filter(other => other !== backend)
    }, this.#lagMs)
  }

  close() {
    for (const server of this.#servers) server.close()
  }

  #accept(client, which) {
    client.on('error', () => client.destroy())
    this.#connect(client, which)
  }

  /** Where nobody listens any more, the next is tried: nothing has been sent yet. */
  #connect(client, which, tries = 5) {
    const backend = this.#backends[this.#next++ % this.#backends.length]
    const port = backend?.ports[which]
    if (port === undefined) {
      client.resetAndDestroy()
      return
    }
    const server = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    const again = () => {
      this.redispatched++
      if (tries > 0) this.#connect(client, which, tries - 1)
      else client.resetAndDestroy()
    }
    server.once('error', again)
    server.once('connect', () => {
      server.off('error', again)
      if (client.remotePort) this.reached.add(client.remotePort)
      for (const [one, other] of [
        [client, server],
        [server, client],
      ]) {
        one.pipe(other)
        // What broke is passed on as what it is: a reset, not an orderly end.
        one.on('error', () => other.resetAndDestroy())
        one.on('close', () => other.destroySoon())
      }
      // It may have gone while there was nobody to connect it with.
      if (client.destroyed) server.destroy()
    })
  }
}
