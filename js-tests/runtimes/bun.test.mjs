// The package as installed, in Bun.
import assert from 'node:assert/strict'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { columnOf, inTable, judge } from './hosts/judge.mjs'
import { project, workplace } from './hosts/project.mjs'
import { serveFolder } from './hosts/server.mjs'
import { bin, environment, needs, output, report } from './hosts/tools.mjs'

// The program itself: the package's own is written by a script that npm does not run unasked.
const { platform, arch } = process
const name = `@oven/bun-${platform}-${arch === 'arm64' ? 'aarch64' : arch}`
const bun = [join(bin, name, 'bin/bun')].find(existsSync)
const skip = needs(bun, 'Bun', 'npm package bun')
const folder = await project()
/** Packages are installed; Bun would fetch what it does not find. */
const RUN = ['--no-install']

test('Bun', { skip }, async t => {
  const server = await serveFolder(folder)
  t.after(() => server.end())
  const context = JSON.stringify({ origin: server.origin })
  const seen = await report(bun, [...RUN, 'main.mjs', context], { cwd: folder })
  await judge(t, seen)
  await t.test('what it has is what the table says', () =>
    inTable('Bun', columnOf(seen, { 'names shared by': 'the process' })),
  )
})

test('Bun on WASM', { skip }, async t => {
  const env = environment({ SEAWALL_ENGINE: 'wasm' })
  const seen = await report(bun, [...RUN, 'main.mjs', '{"brief":true}'], { cwd: folder, env })
  await judge(t, seen)
  assert.equal(seen.engine, 'wasm')
})

test('in Bun a name is shared between threads', { skip }, async t => {
  const work = workplace(t, folder, 'bun')
  writeFileSync(
    join(work, 'threads.mjs'),
    `import { Worker, isMainThread, parentPort } from 'node:worker_threads'
import { CircuitBreaker } from 'seawall'
const breaker = new CircuitBreaker({ name: 'between threads', threshold: 1 })
if (isMainThread) {
  await breaker.tryExecute(() => Promise.reject(new Error('down')))
  const worker = new Worker(new URL(import.meta.url))
  worker.on('message', seen => {
    // Named here so that it lives until then.
    console.log(JSON.stringify(seen && breaker.isOpen()))
    process.exit()
  })
} else parentPort.postMessage(breaker.isOpen())
`,
  )
  const printed = await output(bun, [...RUN, join(work, 'threads.mjs')], { cwd: folder })
  assert.equal(printed.trim(), 'true')
})
