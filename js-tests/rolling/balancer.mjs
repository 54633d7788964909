// A balancer of connections that learns late who is ready, as those of clusters do. It has a process
// of its own: Node takes one connection in each turn of its event loop, so in the loop of the clients,
// whose turns are long, connections would wait in the kernel until that throws them away.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'

/** The balancer, as seen from the process that started it. */
export class Balancer {
  #child

  /** @param lagMs how long after a process says that it is not ready it still gets connections */
  constructor(lagMs) {
    this.#child = fork(import.meta.filename, [String(lagMs)])
  }

  /** Listens once for each of the ports that a backend has; answers with its own. */
  async listen(count) {
    this.#child.send({ listen: count })
    const [{ ports }] = await once(this.#child, 'message')
    return ports
  }

  async add(ports) {
    this.#child.send({ add: ports })
    await once(this.#child, 'message')
  }

  /** Takes a backend out, when word of it has come round. */
  remove(ports) {
    this.#child.send({ remove: ports })
  }

  /**
   * Ends it. Answers, by the ports of the clients, whose connections reached a process (`reached`)
   * and which were cut and why (`cuts`), and how many had to be tried anew (`redispatched`).
   */
  async end() {
    this.#child.send({ end: true })
    const [{ reached, cuts, redispatched }] = await once(this.#child, 'message')
    return { reached: new Set(reached), cuts: new Map(cuts), redispatched }
  }

  kill() {
    this.#child.kill('SIGKILL')
  }
}

class Balancing {
  #lagMs
  #backends = []
  #servers = []
  #next = 0
  #reached = new Set()
  #cuts = new Map()
  #redispatched = 0

  constructor(lagMs) {
    this.#lagMs = lagMs
  }

  async handle({ listen, add, remove }) {
    if (listen) return { ports: await this.#listen(listen) }
    if (add) this.#backends.push(add)
    if (remove) setTimeout(() => this.#remove(String(remove)), this.#lagMs)
    return { reached: [...this.#reached], cuts: [...this.#cuts], redispatched: this.#redispatched }
  }

  async #listen(count) {
    for (let which = 0; which < count; which++) {
      const server = net.createServer({ allowHalfOpen: true, noDelay: true }, socket =>
        this.#accept(socket, which),
      )
      server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 })
      await once(server, 'listening')
      this.#servers.push(server)
    }
    return this.#servers.map(server => server.address().port)
  }

  #remove(ports) {
    this.#backends = this.#backends.filter(other => String(other) !== ports)
  }

  #accept(client, which) {
    client.on('error', () => client.destroy())
    this.#connect(client, which)
  }

  #cut(client, why) {
    this.#cuts.set(client.remotePort, why)
    client.resetAndDestroy()
  }

  /** Where nobody listens any more, the next is tried: nothing has been sent yet. */
  #connect(client, which, tries = 5) {
    const port = this.#backends[this.#next++ % this.#backends.length]?.[which]
    if (port === undefined) {
      this.#cut(client, 'no process was ready')
      return
    }
    const server = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    const again = () => {
      this.#redispatched++
      if (tries > 0) this.#connect(client, which, tries - 1)
      else this.#cut(client, 'no process could be reached')
    }
    server.once('error', again)
    server.once('connect', () => {
      server.off('error', again)
      const { remotePort } = client
      if (remotePort) this.#reached.add(remotePort)
      for (const [one, other] of [
        [client, server],
        [server, client],
      ]) {
        one.pipe(other)
        // What broke is passed on as what it is: a reset, not an orderly end.
        one.on('error', ({ code }) => {
          const who = one === client ? 'the client' : 'the process'
          const bytes = `${server.bytesWritten} bytes to the process and ${server.bytesRead} from it`
          this.#cuts.set(remotePort, `${who} broke it with ${code} after ${bytes}`)
          other.resetAndDestroy()
        })
        one.on('close', () => other.destroySoon())
      }
      // It may have gone while there was nobody to connect it with.
      if (client.destroyed) server.destroy()
    })
  }
}

if (process.argv[1] === import.meta.filename) {
  const balancing = new Balancing(Number(process.argv[2]))
  process.on('message', async message => {
    const answer = await balancing.handle(message)
    if (message.remove) return
    process.send(answer, () => message.end && process.exit())
  })
  process.on('disconnect', () => process.exit())
}
