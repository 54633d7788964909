// What the functions of `contract/sampler.ts` answer, field by field as `node-binding` names them.

/** A stall that is over; times in ms of `performance.now()`. */
export interface NativeStall {
  number: number
  beganMs: number
  lengthMs: number
  /** How old it was when it was seen from outside; NaN: it was over by then. */
  seenMs: number
  route: string
  enteredDuring: boolean
  stack: string
}

export interface NativeRecording {
  process: number
  wallMs: number
  torn: number
  /** For each record its time in ms, kind, level, pressure, and the signals. */
  numbers: Float64Array
  routes: string[]
}
