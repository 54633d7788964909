import { SeawallError } from '../errors.js'

/** The error of an engine that was asked for by name and cannot be had. */
export function refusedEngine(cause: unknown): SeawallError {
  const message = 'SEAWALL_ENGINE is "native", but no addon for this platform can be loaded'
  return new SeawallError('SEAWALL_ENGINE', message, { cause })
}

/** The error of an engine that does not exist. */
export function unknownEngine(wanted: string): SeawallError {
  const message = `SEAWALL_ENGINE must be "native" or "wasm", got "${wanted}"`
  return new SeawallError('SEAWALL_ENGINE', message)
}
