// What tests make of the report of `scenarios/play.mjs`: every scenario a test, every runtime a column
// of the table (`table.json`), which must say what was seen.
import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const file = join(import.meta.dirname, '../table.json')
const FAILED = 'failed'

/** Rewrites the table from what is seen: `SEAWALL_WRITE_TABLE=1`. */
const writes = process.env.SEAWALL_WRITE_TABLE === '1'

export function readTable() {
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {}
}

/** One test for each scenario, and one for the vectors. */
export async function judge(t, { results, vectors }, { atLeast = 50 } = {}) {
  assert.ok(results.length > 20, `${results.length} scenarios`)
  for (const { name, value, error } of results) {
    await t.test(name, () => assert.notEqual(value, FAILED, error))
  }
  await t.test(`${vectors.replayed} decision vectors`, () => {
    assert.deepEqual(vectors.failures, [])
    assert.ok(vectors.replayed >= atLeast)
  })
}

/** The column of a runtime: what it has, by the words of the scenarios. */
export function columnOf({ engine, results, vectors }, more = {}) {
  const rows = results.filter(({ value }) => value !== null).map(({ name, value }) => [name, value])
  return {
    engine,
    ...Object.fromEntries(rows),
    'decision vectors': vectors.failures.length === 0 ? 'all' : 'some',
    ...more,
  }
}

/** The table has this column for the runtime; a difference is shown row by row. */
export function inTable(runtime, column) {
  assert.equal(Object.values(column).includes(FAILED), false, 'what failed is no part of a table')
  const table = readTable()
  if (writes) {
    const next = { ...table, [runtime]: column }
    const sorted = Object.fromEntries(Object.entries(next).sort(([a], [b]) => a.localeCompare(b)))
    writeFileSync(file, `${JSON.stringify(sorted, null, 2)}\n`)
    return
  }
  assert.deepEqual(table[runtime], column, 'SEAWALL_WRITE_TABLE=1 writes what is seen')
}
