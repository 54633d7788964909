// The decision vectors of all policies but the breaker in Deno.
import { replay, WORLDS } from './replay/policies.mjs'

const root = new URL('../rust-tests/vectors/', import.meta.url)
for (const [policy, World] of Object.entries(WORLDS)) {
  const folder = new URL(`${policy}/`, root)
  for (const { name } of Deno.readDirSync(folder)) {
    if (!name.endsWith('.json')) continue
    const vector = JSON.parse(Deno.readTextFileSync(new URL(name, folder)))
    Deno.test(`vector ${policy}/${vector.name}`, () => replay(World, vector))
  }
}
