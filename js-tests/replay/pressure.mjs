import { PressureMonitor } from 'seawall/pressure'
import { Clock } from './tools.mjs'

export class World {
  #clock = new Clock()

  constructor({ options, seed }) {
    this.monitor = new PressureMonitor({ ...options, seed, clock: this.#clock, source: 'manual' })
  }

  step(step) {
    const { monitor } = this
    this.#clock.set(step.at)
    if (step.do === 'maintenance') return monitor.setMaintenance(step.on)
    if (step.do === 'admit') return monitor.admit({ priority: step.priority }) ?? {}
    monitor.observe(step.signals)
    const { level, pressure, signal } = monitor
    return { level, pressure, signal }
  }
}
