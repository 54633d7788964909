import { PressureMonitor } from './monitor.js'
import { PRESSURE_OPTIONS, type PressureOptions } from './options.js'
import type { ShedOptions } from './shed-options.js'

/** A monitor and how requests are shed for it. @internal */
export interface Owned<R> {
  readonly monitor: PressureMonitor
  readonly shed: ShedOptions<R>
  /** Disposes of the monitor if it was made here. */
  dispose(): void
}

/** A middleware with the monitor behind it. */
export interface PressureOwner extends Disposable {
  readonly monitor: PressureMonitor
}

/** The monitor that was given, or one made of the options for it among all. @internal */
export function ownedMonitor<R>(
  given: PressureMonitor | (PressureOptions & ShedOptions<R>),
  shed: ShedOptions<R> | undefined,
): Owned<R> {
  if (given instanceof PressureMonitor) {
    return { monitor: given, shed: shed ?? {}, dispose: () => {} }
  }
  const entries = Object.entries(given)
  const isPressure = ([key]: [string, unknown]): boolean => PRESSURE_OPTIONS.includes(key)
  const monitor = new PressureMonitor(Object.fromEntries(entries.filter(isPressure)))
  return {
    monitor,
    shed: { ...Object.fromEntries(entries.filter(entry => !isPressure(entry))), ...shed },
    dispose: () => monitor[Symbol.dispose](),
  }
}

/** A function with the monitor, as middleware is. @internal */
export function owning<F extends object, R>(
  fn: F,
  { monitor, dispose }: Owned<R>,
): F & PressureOwner {
  return Object.assign(fn, { monitor, [Symbol.dispose]: dispose })
}
