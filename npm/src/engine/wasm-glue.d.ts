/** What wasm-bindgen generates: the exports of the engine, and a way to start it; again, what it started. */
export function initSync(input?: {
  module: WebAssembly.Module
}): WebAssembly.Exports & { memory: WebAssembly.Memory }
