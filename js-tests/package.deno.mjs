// The package in Deno, with no permission but to read its own files.
import { engineKind } from 'seawall'

Deno.test('runs on the WASM engine', () => {
  if (engineKind() !== 'wasm') throw new Error(`runs on ${engineKind()}`)
})
