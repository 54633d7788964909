// The package as installed, in Deno.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { columnOf, inTable, judge } from './hosts/judge.mjs'
import { project, workplace } from './hosts/project.mjs'
import { serveFolder } from './hosts/server.mjs'
import { deno, needs, output, report } from './hosts/tools.mjs'

const skip = needs(deno, 'Deno', 'npm package deno')
const folder = await project()
// Nothing may be fetched, and nobody is asked.
const RUN = ['run', '--no-prompt', '--no-lock', '--cached-only']

test('Deno without any permission', { skip }, async t => {
  const seen = await report(deno, [...RUN, 'main.mjs', '{"offline":true,"brief":true}'], {
    cwd: folder,
  })
  await judge(t, seen)
  assert.equal(seen.engine, 'wasm')
})

test('Deno with a network', { skip }, async t => {
  const server = await serveFolder(folder)
  t.after(() => server.end())
  const context = JSON.stringify({ origin: server.origin })
  const args = [...RUN, '--allow-net=127.0.0.1', 'main.mjs', context]
  const seen = await report(deno, args, { cwd: folder })
  await judge(t, seen)
  await t.test('what it has is what the table says', () =>
    inTable('Deno', columnOf(seen, { 'names shared by': 'an isolate' })),
  )
})

test('Deno knows the types', { skip }, async t => {
  const work = workplace(t, folder, 'deno')
  writeFileSync(
    join(work, 'typed.ts'),
    `import { CircuitBreaker } from 'seawall'
const breaker = new CircuitBreaker({ threshold: 3 })
const answer: number = await breaker.execute(async () => 42)
// @ts-expect-error the threshold is a number
new CircuitBreaker({ threshold: 'three' })
console.log(answer)
`,
  )
  const args = ['check', '--no-lock', '--cached-only', join(work, 'typed.ts')]
  await output(deno, args, { cwd: folder })
})
