import { processEngine } from '../engine/process/index.js'

/** The words of `core/src/pressure/board.rs`. @internal */
export const SEQUENCE = 0
/** @internal */
export const LEVEL = 1
/** @internal */
export const PRESSURE = 2
/** @internal */
export const SIGNAL = 3
/** @internal */
export const THRESHOLD = 4
/** @internal */
export const DRAIN = 5
/** @internal */
export const CLOSE = 7
/** @internal */
export const KEEP_ALIVE = 8
/** @internal */
export const STALLS = 10
/** @internal */
export const STALL = 11
/** @internal */
export const MODE = 13
/** @internal */
export const CLOSE_REFUSED = 14
/** @internal */
export const SURE = 15
/** @internal */
export const RETRY_AT = 16
/** @internal */
export const RETRIES = 8
/** @internal */
export const SIGNALS_AT = 32
/** @internal */
export const IN_FLIGHT = 56
/** @internal */
export const QUEUE = 57
/** @internal */
export const QUEUE_TAG = 58
/** @internal */
export const REFUSED_AT = 59

const WORDS = 64

/** The memory of a monitor, asked for once: a runtime must not wrap the same bytes twice. @internal */
export function boardMemory(handle: number): ArrayBuffer | WebAssembly.Memory {
  return processEngine().pressureMemory(handle)
}

/** A view on the board, made anew where WASM memory has grown and the old one is void. @internal */
export function boardView(
  memory: ArrayBuffer | WebAssembly.Memory,
  offset: number,
): Float64Array<ArrayBufferLike> {
  const buffer = memory instanceof ArrayBuffer ? memory : memory.buffer
  return new Float64Array(buffer, offset, WORDS)
}

/** What is read of a monitor that was disposed of: everybody is let in. @internal */
export function calmBoard(): Float64Array<ArrayBufferLike> {
  const words = new Float64Array(WORDS)
  words[SIGNAL] = -1
  words[KEEP_ALIVE] = 1
  words.fill(Number.NaN, SIGNALS_AT)
  return words
}
