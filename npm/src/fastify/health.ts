import type { FastifyInstance } from 'fastify'
import type { FastifyUnderPressureOptions } from './options.js'

type HealthCheck = Exclude<FastifyUnderPressureOptions['healthCheck'], undefined | false>

/** Longer than any timer can wait, so none is set. */
const EVER = 2 ** 31

/**
 * For how many ms nothing else is asked while a check hangs; then it is given up, lest an answer that
 * got lost locks the service out for ever. Twice as long after each.
 */
const PATIENCE = 60_000

/** The user's health check, run in the background and by the status route. */
export class Health {
  /** What the last check said; there is none where nothing is checked. */
  healthy: boolean
  readonly #check: HealthCheck | undefined
  readonly #fastify: FastifyInstance
  readonly #timeout: number
  readonly #changed: () => void
  /** A check that has not answered, also after its time was up. */
  #pending: Promise<unknown> | undefined
  /** What a check whose time is not up answers, or that it is late. */
  #flight: Promise<unknown> | undefined
  /** When a check that hangs is given up, and after how long the next one will be. */
  #giveUpAt = 0
  #patience: number
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
    this.#patience = Math.max(PATIENCE, this.#timeout)
  }

  /**
   * Runs the check and answers with what it said; rejects with what it threw. Whoever asks while one is
   * under way that still has time gets its answer.
   */
  ask(): Promise<unknown> {
    if (!this.#timeout) return this.#plain()
    if (this.#flight) return this.#flight
    const flight = this.#inTime()
    this.#flight = flight
    const landed = () => {
      if (this.#flight === flight) this.#flight = undefined
    }
    flight.then(landed, landed)
    return flight
  }

  async #plain(): Promise<unknown> {
    return (this.#check as HealthCheck)(this.#fastify)
  }

  async #inTime(): Promise<unknown> {
    // One that hangs is not asked again: the questions would pile up where the trouble is.
    if (this.#pending) {
      if (performance.now() < this.#giveUpAt) {
        throw new Error('external health check is still running')
      }
      this.#patience = Math.min(this.#patience * 2, EVER)
    }
    this.#giveUpAt = performance.now() + this.#patience
    const controller = new AbortController()
    const check = this.#check as HealthCheck
    const asked = Promise.resolve(check(this.#fastify, controller.signal))
    this.#pending = asked
    const forget = () => {
      if (this.#pending !== asked) return
      this.#pending = undefined
      this.#patience = Math.max(PATIENCE, this.#timeout)
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
