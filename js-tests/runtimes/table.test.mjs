// The table of the README is the one the tests have seen.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { root } from '../../npm/scripts/paths.mjs'
import { readTable } from './hosts/judge.mjs'
import { inReadme, render } from './hosts/table.mjs'

test('every runtime has a column, and says something in every row', () => {
  const table = readTable()
  assert.deepEqual(Object.keys(table).sort(), [
    'Browsers',
    'Bun',
    'Deno',
    'Node 22',
    'Node 24',
    'Node 26',
    'Node without addons',
    'Workers',
  ])
  const [first, ...others] = Object.values(table).map(column => Object.keys(column).sort())
  for (const rows of others) assert.deepEqual(rows, first)
  assert.equal(JSON.stringify(table).includes('failed'), false)
})

test('the README has the table as it is', t => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8')
  const there = inReadme(readme)
  if (there === undefined) return t.skip('the README has no place for it')
  assert.equal(there.trim(), render(readTable()).trim(), 'node js-tests/runtimes/hosts/table.mjs')
})
