/**
 * What wasm-bindgen generates: the functions of the engine, and a way to start it; called again, that
 * answers what it started. Nothing of it exists before this is called.
 */
export function glue(): {
  initSync(input?: {
    module: WebAssembly.Module
  }): WebAssembly.Exports & { memory: WebAssembly.Memory }
}
