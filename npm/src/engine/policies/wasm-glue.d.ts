/** What wasm-bindgen generates: the exports of the engine, and the word what they are to call. */
export function use(exports: WebAssembly.Exports): void
