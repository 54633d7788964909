/** What a worker writes into the memory it shares with the front; the places are those of `board.rs`. */
import type { Tally } from '../lifecycle/servers/peer.js'

export const READY = 0
export const CONNECTIONS = 1
export const IN_FLIGHT = 2
export const PRESSURE = 3
export const CPU_PERCENT = 4
export const HEAP = 5
/** Written by the front, as {@link LOOKED} is. */
export const SHED = 7
/** Connections of a front that stays between; written by it. */
export const OPEN = 8
const SLOWEST = 9
const ANSWERS = 10
const LOOKED = 11

/** Writes how many requests are under way at each change, and where asked how long answers take. */
export class BoardTally implements Tally {
  readonly #board: Float64Array
  readonly #timed: boolean
  #open = 0
  #answers = 0
  #slowest = 0
  #looked = 0

  constructor(board: Float64Array, timed: boolean) {
    this.#board = board
    this.#timed = timed
  }

  begun(): void {
    this.#board[IN_FLIGHT] = ++this.#open
  }

  done(at?: number): void {
    this.#board[IN_FLIGHT] = --this.#open
    if (this.#timed && at !== undefined) this.#answered(performance.now() - at)
  }

  /** The slowest since the front has looked: one slow answer must count however many are quick. */
  #answered(ms: number): void {
    const board = this.#board
    const looked = board[LOOKED] as number
    if (looked !== this.#looked) {
      this.#looked = looked
      this.#slowest = 0
    }
    this.#slowest = Math.max(this.#slowest, ms)
    board[SLOWEST] = this.#slowest
    board[ANSWERS] = ++this.#answers
  }
}
