import type { FastifyInstance } from 'fastify'
import type { FastifyUnderPressureOptions } from './options.js'

type HealthCheck = Exclude<FastifyUnderPressureOptions['healthCheck'], undefined | false>

/** Longer than any timer can wait, so none is set. */
const EVER = 2 ** 31

/** The user's health check, run in the background and by the status route. */
export class Health {
  /** What the last check said; there is none where nothing is checked. */
  healthy: boolean
  readonly #check: HealthCheck | undefined
  readonly #fastify: FastifyInstance
  readonly #timeout: number
  readonly #changed: () => void
  #pending: Promise<unknown> | undefined
  #timer: NodeJS.Timeout | undefined
  #stopped = false

  constructor(
    fastify: FastifyInstance,
    check: HealthCheck | undefined,
    timeout: number,
    changed: () => void,
  ) {
    this.healthy = check === undefined
    this.#check = check
    this.#fastify = fastify
    this.#timeout = timeout > 0 && timeout < EVER ? timeout : 0
    this.#changed = changed
  }

  /** Runs the check and answers with what it said; rejects with what it threw. */
  async ask(): Promise<unknown> {
    const check = this.#check as HealthCheck
    if (!this.#timeout) return check(this.#fastify)
    // One that hangs is not asked again: the questions would pile up where the trouble is.
    if (this.#pending) throw new Error('external health check is still running')
    const controller = new AbortController()
    const asked = Promise.resolve(check(this.#fastify, controller.signal))
    this.#pending = asked
    const forget = () => {
      this.#pending = undefined
    }
    asked.then(forget, forget)
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        const error = new Error(`external health check took longer than ${this.#timeout}ms`)
        reject(error)
        controller.abort(error)
      }, this.#timeout)
      timer.unref()
    })
    try {
      return await Promise.race([asked, late])
    } finally {
      clearTimeout(timer)
    }
  }

  /** Notes what a check said. */
  note(healthy: boolean): void {
    this.healthy = healthy
    this.#changed()
  }

  /** Checks once, and where there is an interval, again and again, each after the one before. */
  async start(interval: number): Promise<void> {
    if (this.#check === undefined) return
    await this.#run()
    if (!(interval > 0) || this.#stopped) return
    this.#timer = setTimeout(async () => {
      await this.#run()
      if (!this.#stopped) this.#timer?.refresh()
    }, interval)
    this.#timer.unref()
  }

  async #run(): Promise<void> {
    try {
      this.note(Boolean(await this.ask()))
    } catch (err) {
      this.note(false)
      this.#fastify.log.error(
        { err },
        'external healthCheck function supplied to `under-pressure` threw an error. setting the service status to unhealthy.',
      )
    }
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }
}
