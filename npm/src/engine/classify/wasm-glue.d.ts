/** As `glue` of the engine's first part. */
export function glue(): {
  initSync(input: { module: WebAssembly.Module }): { memory: WebAssembly.Memory }
}
