// The package in Deno, with no permission but to read its own files.
import { engine } from 'seawall'

Deno.test('runs on the WASM engine', () => {
  if (engine().kind !== 'wasm') throw new Error(`runs on ${engine().kind}`)
})
