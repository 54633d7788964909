import { engine } from './index.js'

/** The words of `core/src/breaker/cell.rs`, as indices into the two views of a block. */
export const GATE = 0
export const SUCCESSES = 1
export const ASK_AT = 2
export const REFUSED = 3
export const FROM = 2
export const UNTIL = 3

/** How many 32-bit words a cell has. */
export const CELL_WORDS = 8

/** What a gate allows, in its lowest two bits. */
export const ADMIT = 1
export const REFUSE = 2

/** Two views on one block of cells. */
export interface Cells {
  readonly block: number
  readonly u32: Uint32Array
  readonly f64: Float64Array
}

/** A block that has no cells: whoever reads it finds no gate, and asks. */
export const NO_CELLS: Cells = { block: 0, u32: new Uint32Array(0), f64: new Float64Array(0) }

const blocks: Cells[] = []

/** The views of a block, made anew where WASM memory has grown and the old ones are void. */
export function cells(block: number): Cells {
  const known = blocks[block]
  if (known && known.u32.length > 0) return known
  const memory = engine().breakerMemory(block)
  const buffer = memory instanceof WebAssembly.Memory ? memory.buffer : memory
  const views = { block, u32: new Uint32Array(buffer), f64: new Float64Array(buffer) }
  blocks[block] = views
  return views
}
