// The decision vectors of all policies but the breaker, on the engine of this run.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { replay, WORLDS } from './replay/policies.mjs'

const root = new URL('../rust-tests/vectors/', import.meta.url)
const read = policy =>
  readdirSync(new URL(`${policy}/`, root))
    .filter(name => name.endsWith('.json'))
    .map(name => JSON.parse(readFileSync(new URL(`${policy}/${name}`, root), 'utf8')))

test('each folder of vectors is replayed', () => {
  const folders = readdirSync(root, { withFileTypes: true }).filter(entry => entry.isDirectory())
  const others = folders.map(({ name }) => name).filter(name => name !== 'breaker')
  assert.deepEqual(others.sort(), Object.keys(WORLDS))
})

for (const [policy, World] of Object.entries(WORLDS)) {
  const vectors = read(policy)
  for (const vector of vectors) {
    test(`${policy}: ${vector.name}`, () => replay(World, vector))
  }

  test(`${policy}: a vector that expects something else fails`, async () => {
    for (const vector of vectors) {
      const last = vector.steps.findLastIndex(step => step.expect !== undefined)
      const [field] = Object.keys(vector.steps[last].expect)
      const steps = vector.steps.slice(0, last + 1)
      steps[last] = { ...steps[last], expect: { [field]: 'something else' } }
      await assert.rejects(replay(World, { ...vector, steps }), /something else/)
    }
  })
}
