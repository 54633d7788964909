// What is about the process in Deno: the other WASM file, with no permission but to read.
import { HealthChecks } from 'seawall/health'
import { PressureMonitor } from 'seawall/pressure'

Deno.test('pressure and health run on WASM', () => {
  const monitor = new PressureMonitor({ source: 'manual', utilization: { soft: 0.5, hard: 0.9 } })
  const checks = new HealthChecks()
  try {
    monitor.observe({ utilization: 0.95 })
    if (monitor.pressure === 0) throw new Error('the pressure is not read from its memory')
    if (monitor.explain().gauges.length === 0) throw new Error('nothing is explained')
    checks.add('database', () => true)
  } finally {
    checks[Symbol.dispose]()
    monitor[Symbol.dispose]()
  }
})
