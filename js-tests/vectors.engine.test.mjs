// The decision vectors of the core, on the engine of this run: the same answers everywhere.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { CircuitBreaker } from 'seawall'
import { replay, WAYS } from './replay.mjs'

const folder = new URL('../rust-tests/vectors/breaker/', import.meta.url)
const vectors = readdirSync(folder)
  .filter(name => name.endsWith('.json'))
  .map(name => JSON.parse(readFileSync(new URL(name, folder), 'utf8')))

test('there are vectors', () => {
  assert.ok(vectors.length > 20, `${vectors.length} vectors`)
})

for (const vector of vectors) {
  for (const way of WAYS) {
    const how = `${way.calls}${way.look ? ', looked at after each step' : ''}`
    test(`${vector.name}: ${how}`, () => replay(CircuitBreaker, vector, way))
  }
}

test('a vector that expects something else fails', async () => {
  for (const vector of vectors.filter(({ name }) => !name.startsWith('long-'))) {
    const states = ['closed', 'open', 'half-open']
    const steps = vector.steps.map(step => {
      const state = states.find(state => state !== step.expect.state && state.length !== 0)
      return { ...step, expect: { ...step.expect, state } }
    })
    for (const way of WAYS) await assert.rejects(replay(CircuitBreaker, { ...vector, steps }, way))
  }
})
