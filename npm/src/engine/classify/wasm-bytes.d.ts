/** The bytes of `classify.wasm`, decoded from text that the build writes. */
export function bytes(): Uint8Array
