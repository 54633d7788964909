// The tests of @fastify/under-pressure itself, as its package brings them, run against the plugin
// of this one: only what they import is another.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { test } from 'node:test'

const require = createRequire(import.meta.url)
const suite = join(dirname(require.resolve('@fastify/under-pressure')), 'test')
const files = readdirSync(suite, { recursive: true })
  .filter(name => name.endsWith('.test.js'))
  .sort()

/** Runs a file of the suite against `plugin`; answers with how many tests passed and failed. */
function run(file, plugin) {
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [
      '--require',
      join(import.meta.dirname, 'fastify-suite.cjs'),
      '--test',
      '--test-reporter=tap',
      '--test-timeout=60000',
      join(suite, file),
    ],
    {
      encoding: 'utf8',
      timeout: 120_000,
      // Inside a test, the runner would answer to its parent instead of printing.
      env: { ...process.env, NODE_TEST_CONTEXT: undefined, SEAWALL_UNDER_TEST: plugin },
    },
  )
  const count = what => Number(new RegExp(`^# ${what} (\\d+)$`, 'm').exec(stdout)?.[1])
  return { passed: count('pass'), failed: count('fail'), output: stdout + stderr }
}

test('the suite is there', () => assert.equal(files.length, 6, files.join(' ')))

let sum = 0
for (const file of files) {
  test(`${file} of the original passes`, () => {
    // Its tests wait for times of the wall clock, and a file of them is to pass once: on a machine
    // that is busy the original fails some of them as well.
    let result
    for (let tries = 0; tries < 3 && result?.failed !== 0; tries++) {
      result = run(file, require.resolve('seawall/fastify'))
    }
    const { passed, failed, output } = result
    assert.equal(failed, 0, output)
    assert.ok(passed > 0, output)
    sum += passed
  })
}

test('all of its tests were run', () => assert.equal(sum, 43))

test('it is the plugin given that the suite runs against', () => {
  const { failed } = run('exports.test.js', require.resolve('fastify'))
  assert.ok(failed > 0)
})
