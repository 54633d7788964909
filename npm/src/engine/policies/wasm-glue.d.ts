/** What wasm-bindgen generates: the functions of this part, and the word what they are to call. */
export function glue(): { use(exports: WebAssembly.Exports): void }
