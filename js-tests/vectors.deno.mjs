// The decision vectors of the core in Deno.
import { CircuitBreaker } from 'seawall'
import { replay, WAYS } from './replay.mjs'

const folder = new URL('../rust-tests/vectors/breaker/', import.meta.url)
for (const { name } of Deno.readDirSync(folder)) {
  if (!name.endsWith('.json')) continue
  const vector = JSON.parse(Deno.readTextFileSync(new URL(name, folder)))
  Deno.test(`vector ${vector.name}`, async () => {
    for (const way of WAYS) await replay(CircuitBreaker, vector, way)
  })
}
