import { setTimeout as sleep } from 'node:timers/promises'
import { audit } from './audit.mjs'
import { Load } from './load.mjs'
import { panel } from './panel.mjs'
import { Supervised } from './supervisor.mjs'
import { timeline } from './timeline.mjs'

const seed = 20_24
const noCounts = { calls: 0, callsToDead: 0, retries: 0, waits: 0 }

/** A database, an order service over it and a load, watched: one variant of the comparison. */
export class Variant {
  #latest = noCounts
  #before = noCounts
  #view
  #started

  constructor({ name, title, folder, ports, rate, record, view, onLost }) {
    this.title = title
    this.url = `http://127.0.0.1:${ports.service}`
    this.ports = ports
    this.#view = view
    this.database = new Supervised('./database.mjs', [folder, ports.database])
    this.service = new Supervised('./service.mjs', [name, ports.service, ports.database, seed])
    this.load = new Load({ port: ports.service, rate, seed, record })
    this.#watch('database', this.database, onLost)
    this.#watch('service', this.service, onLost)
    this.service.on('down', () => {
      this.#before = this.counts
      this.#latest = noCounts
    })
    this.service.on('message', message => this.#heard(message))
  }

  /** What the service counted, over all its lives. */
  get counts() {
    const sum = { ...this.#latest }
    for (const key of Object.keys(noCounts)) sum[key] += this.#before[key]
    return sum
  }

  /** Starts everything; the load runs from here. `length`: seconds, Infinity without an end. */
  async start(length) {
    await this.database.start()
    await this.service.start()
    this.#started = performance.now()
    const clock = () => (performance.now() - this.#started) / 1000
    this.#view.open(
      () => panel({ ...this, view: this.#view, latest: this.counts, seconds: clock(), length }),
      clock,
    )
    this.load.start()
  }

  /** Lets the timeline happen, to its end: the service is stopped with requests in flight. */
  async play(seconds, signal) {
    for (const entry of timeline) {
      const due = this.#started + entry.at * seconds * 1000 - performance.now()
      await sleep(Math.max(0, due), undefined, { signal })
      this.#view.event('timeline', entry.text, 'cyan')
      if (entry.fault === 'kill') this.database.kill(entry.down * seconds * 1000)
      if (entry.fault === 'failures') this.service.send({ type: 'chaos', failureRate: entry.rate })
      if (entry.fault === 'latency') this.service.send({ type: 'chaos', latency: entry.ms })
      if (entry.fault === 'pause') this.service.send({ type: 'pause', ms: entry.ms })
      if (entry.fault === 'exit') {
        const options = { longestMs: entry.within * seconds * 1000, seed }
        this.database.send({ type: 'exit', options })
      }
    }
    const drained = this.load.stop()
    await this.service.stop(6000)
    await drained
    this.#view.close()
    const books = await audit(this.ports.database, this.load)
    await this.database.stop(3000)
    return { load: this.load, counts: this.counts, books }
  }

  /** Ends everything, gently where there is time: the service first, since it needs the database. */
  async stop() {
    this.load.abort()
    await this.service.stop(3000)
    await this.database.stop(1000)
  }

  #heard(message) {
    if (message.type === 'stats') this.#latest = message
    if (message.type === 'retry') this.#view.retry(message.code)
    if (message.type === 'draining') this.#view.event('service', 'draining', 'magenta')
    if (message.type === 'health') {
      this.#view.event('health', message.status, message.status === 'unhealthy' ? 'red' : 'green')
    }
    if (message.type === 'breaker') {
      const format = message.state === 'open' ? 'red' : 'green'
      this.#view.event('breaker', `${message.before} -> ${message.state}`, format)
    }
  }

  #watch(name, child, onLost) {
    child.on('down', why => this.#view.event(name, `down (${why})`, 'red'))
    child.on('up', downMs => {
      if (this.#started) this.#view.event(name, `up again after ${Math.round(downMs)} ms`, 'green')
    })
    child.on('output', line => this.#view.event(name, line.slice(0, 160), 'magenta'))
    child.on('lost', onLost)
  }
}
