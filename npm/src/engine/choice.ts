import { SeawallError } from '../errors.js'

/**
 * The addon where it can be had, else the WASM build, which is told why. `SEAWALL_ENGINE=native` and
 * `SEAWALL_ENGINE=wasm` force one.
 *
 * @throws SeawallError where the one that is forced cannot be had, or does not exist
 */
export function prefer<N, W>(native: () => N, wasm: (reason: string) => W): N | W {
  const wanted = process.env.SEAWALL_ENGINE
  if (wanted === 'wasm') return wasm('SEAWALL_ENGINE is "wasm"')
  if (wanted && wanted !== 'native') {
    const message = `SEAWALL_ENGINE must be "native" or "wasm", got "${wanted}"`
    throw new SeawallError('SEAWALL_ENGINE', message)
  }
  try {
    return native()
  } catch (error) {
    const { message, cause = error } = error as Error
    if (wanted !== 'native') return wasm(message)
    throw new SeawallError('SEAWALL_ENGINE', `SEAWALL_ENGINE is "native", but ${message}`, {
      cause,
    })
  }
}
