import type { NativeRecording, NativeStall } from '../native-data.js'

/**
 * What the native thread sees of the event loop of this isolate (`node-binding/src/native`), while
 * `pressureWatch` has it watched. The WASM engine has none of it.
 */
export interface SamplerEngine {
  /** What is known at this instant, by the places of the signals. */
  pressureSignals?(): Float64Array
  /** The number of a route, from 1 on; 0 where there are too many. */
  pressureRoute?(route: string): number
  /**
   * Memory of which word 0 is the number of the route entered, 2 and 3 the bytes of the heap in use and
   * its limit; `null` without a watched loop.
   */
  pressureRoutes?(): ArrayBuffer | null
  /** From which length on a turn is a stall, and whether its stack is wanted. */
  pressureStallLimit?(limitMs: number, stacks: boolean): void
  /** Calls `listener`, which must not throw, between two turns of the loop when a stall is over. */
  pressureOnStall?(listener: (() => void) | null): void
  /** The stalls after the one of a number. */
  pressureStalls?(after: number): NativeStall[]
  /** Records into a file from now on; false without a watched loop. */
  pressureRecord?(path: string): boolean
  /** What is recorded of this isolate's loop. */
  pressureRecording?(): Uint8Array | null
  /** Reads a recording; `null` where the bytes are none. */
  recordingRead?(bytes: Uint8Array): NativeRecording | null
}
