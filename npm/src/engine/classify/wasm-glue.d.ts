/** What wasm-bindgen generates: the exports of the engine, and a way to start it. */
export function initSync(input: { module: WebAssembly.Module }): { memory: WebAssembly.Memory }
