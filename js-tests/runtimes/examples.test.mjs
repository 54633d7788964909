// The examples, each in the runtime it is for, before an origin that fails.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { cpSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { test } from 'node:test'
import { build } from 'esbuild'
import { root } from '../../npm/scripts/paths.mjs'
import { browser, chromium } from './hosts/chromium.mjs'
import { project, workplace } from './hosts/project.mjs'
import { serveFolder } from './hosts/server.mjs'
import { deno, end, environment, needs } from './hosts/tools.mjs'
import { bundle, serve, workerd } from './hosts/workerd.mjs'

const folder = await project()
const example = (...path) => join(root, 'examples', ...path)

/** An origin that answers as it is told: `next` is what becomes of the requests to come. */
async function origin(t) {
  const it = { asked: 0, down: false, slowMs: 0, flaky: 0 }
  const server = createServer((request, response) => {
    it.asked++
    const fails = it.down || it.flaky-- > 0
    setTimeout(() => {
      response.statusCode = fails ? 503 : 200
      response.end(fails ? 'down' : `answer to ${request.url}`)
    }, it.slowMs)
  })
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  return Object.assign(it, { url: `http://127.0.0.1:${server.address().port}` })
}

/** The example in `count` isolates, which have one store between them. */
async function workers(t, { url, count, store, state = STATE }) {
  const work = workplace(t, folder, 'example')
  // In the project, where the package is installed.
  cpSync(example('worker/src'), join(work, 'src'), { recursive: true })
  const out = join(work, 'out')
  await bundle(out, { entry: join(work, 'src/index.js') })
  writeFileSync(join(work, 'state.mjs'), state)
  await bundle(join(work, 'state'), { entry: join(work, 'state.mjs') })
  const variable = `(name = "ORIGIN", text = "${url}")`
  const place = {
    object:
      '(name = "BREAKERS", durableObjectNamespace = (className = "BreakerState", serviceName = "state"))',
    kv: '(name = "BREAKERS_KV", kvNamespace = "state")',
  }[store]
  const isolates = Array.from({ length: count }, (_, i) => [
    `isolate${i}`,
    { folder: out, bindings: [variable, place] },
  ])
  const front = join(work, 'front')
  writeFileSync(join(work, 'front.mjs'), FRONT)
  await bundle(front, { entry: join(work, 'front.mjs') })
  const server = await serve(work, {
    front: {
      folder: front,
      bindings: isolates.map(([name]) => `(name = "${name}", service = "${name}")`),
    },
    ...Object.fromEntries(isolates),
    state: { folder: join(work, 'state'), objects: ['BreakerState'] },
  })
  t.after(() => server.end())
  return (isolate, path, more) =>
    fetch(`${server.origin}${path}`, { ...more, headers: { isolate: `isolate${isolate}` } })
}

/** The same object that the example exports, and what stands in for KV, each in one place for all. */
const STATE = `
export { BreakerState } from './src/breaker-state.js'
const kept = new Map()
export default {
  async fetch(request) {
    const key = decodeURIComponent(new URL(request.url).pathname.slice(1))
    if (request.method === 'PUT') kept.set(key, await request.text())
    const value = kept.get(key)
    return new Response(value, { status: value === undefined ? 404 : 200 })
  },
}
`
const FRONT = `
export default {
  fetch: (request, env) => env[request.headers.get('isolate')].fetch(request),
}
`

const skipWorker = needs(workerd, 'workerd', 'npm package workerd')

test('examples/worker: one fetch for many, repeated where that is safe', {
  skip: skipWorker,
}, async t => {
  const it = await origin(t)
  const ask = await workers(t, { url: it.url, count: 1, store: 'object' })
  it.slowMs = 300
  const answers = await Promise.all([1, 2, 3].map(() => ask(0, '/same?x=1')))
  const texts = await Promise.all(answers.map(answer => answer.text()))
  assert.deepEqual(texts, Array(3).fill('answer to /same?x=1'))
  assert.equal(it.asked, 1, 'parallel requests')
  Object.assign(it, { slowMs: 0, flaky: 1, asked: 0 })
  assert.equal((await ask(0, '/again')).status, 200)
  assert.equal(it.asked, 2, 'with one repetition')
})

for (const store of ['object', 'kv']) {
  test(`examples/worker: an outage is told to other isolates, by ${store}`, {
    skip: skipWorker,
  }, async t => {
    const it = await origin(t)
    const ask = await workers(t, { url: it.url, count: 2, store })
    it.down = true
    let answer
    for (let i = 0; i < 12; i++) answer = await ask(0, `/item/${i}`)
    assert.equal(answer.status, 503)
    assert.equal((await answer.json()).code, 'DB_CONNECTION_FAILED')
    const after = Number(answer.headers.get('retry-after'))
    assert.ok(after >= 1 && after <= 5, `retry after ${after} s`)
    const { asked } = it
    // Another isolate, at its first request.
    const other = await ask(1, '/first')
    assert.equal((await other.json()).code, 'DB_CONNECTION_FAILED')
    assert.equal(it.asked, asked, 'the origin was not asked for it')
    it.down = false
    let status
    for (let i = 0; i < 80 && status !== 200; i++) {
      await new Promise(resolve => setTimeout(resolve, 100))
      status = (await ask(1, '/later')).status
    }
    assert.equal(status, 200, 'it recovers by itself')
  })
}

for (const [how, answers] of [
  ['knows nothing', 'new Response(null, { status: 404 })'],
  ['is down', "new Response('down', { status: 500 })"],
  ['never answers', 'new Promise(() => setTimeout(() => {}, 60_000))'],
]) {
  test(`examples/worker: a store that ${how} costs no request`, { skip: skipWorker }, async t => {
    const it = await origin(t)
    const state = `
export { BreakerState } from './src/breaker-state.js'
export default { fetch: () => ${answers} }
`
    const ask = await workers(t, { url: it.url, count: 1, store: 'kv', state })
    assert.equal((await ask(0, '/one')).status, 200)
  })
}

test('examples/worker: what is no GET is not taken for one', { skip: skipWorker }, async t => {
  const it = await origin(t)
  const ask = await workers(t, { url: it.url, count: 1, store: 'kv' })
  assert.equal((await ask(0, '/one', { method: 'POST' })).status, 405)
  assert.equal(it.asked, 0)
})

test('examples/deno', { skip: needs(deno, 'Deno', 'npm package deno') }, async t => {
  const it = await origin(t)
  const work = workplace(t, folder, 'deno')
  cpSync(example('deno/main.ts'), join(work, 'main.ts'))
  const flags = [
    'run',
    '--no-prompt',
    '--no-lock',
    '--cached-only',
    '--check',
    '--allow-net=127.0.0.1',
  ]
  const child = spawn(deno, [...flags, join(work, 'main.ts'), it.url, '0'], {
    cwd: folder,
    env: environment(),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  t.after(() => end(child))
  const port = await new Promise((resolve, reject) => {
    let text = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', chunk => {
        text += chunk
        const [, found] = /Listening on http:\/\/[^:]+:(\d+)/.exec(text) ?? []
        if (found) resolve(found)
      })
    }
    child.once('exit', code => reject(new Error(`Deno ended with ${code}: ${text}`)))
  })
  const ask = path => fetch(`http://127.0.0.1:${port}${path}`)
  it.flaky = 2
  assert.equal(await (await ask('/one')).text(), 'answer to /one')
  assert.equal(it.asked, 3)
  assert.equal((await ask('/readyz')).status, 200)
  it.down = true
  let answer
  for (let i = 0; i < 6; i++) answer = await ask(`/down/${i}`)
  assert.equal(await answer.text(), 'DB_CONNECTION_FAILED')
  assert.ok(Number(answer.headers.get('retry-after')) >= 1)
  let ready = 200
  for (let i = 0; i < 100 && ready === 200; i++) {
    await new Promise(resolve => setTimeout(resolve, 50))
    ready = (await ask('/readyz')).status
  }
  assert.equal(ready, 503)
})

test('examples/browser', {
  skip: needs(chromium, 'Chromium', 'Debian package chromium'),
}, async t => {
  const work = workplace(t, folder, 'browser')
  cpSync(example('browser'), work, { recursive: true })
  const served = join(work, 'served')
  await build({ entryPoints: [join(work, 'main.js')], bundle: true, format: 'esm', outdir: served })
  cpSync(join(work, 'index.html'), join(served, 'index.html'))
  let down = false
  let asked = 0
  const server = await serveFolder(served, (request, response) => {
    if (request.url !== '/api') return false
    asked++
    response.statusCode = down || asked === 1 ? 503 : 200
    response.end('an answer')
    return true
  })
  t.after(() => server.end())
  const window = await browser()
  t.after(() => window.end())
  const page = await window.open(server.origin)
  const click = (until, id = 'answer') =>
    page.evaluate(`new Promise(resolve => {
      document.getElementById('ask').click()
      const look = () => {
        const text = document.getElementById('${id}').textContent
        if (${until}.test(text)) resolve(text); else setTimeout(look, 10)
      }
      look()
    })`)
  assert.equal(await click('/^an answer$/'), 'an answer')
  assert.equal(asked, 2, 'with one repetition')
  down = true
  assert.match(await click('/again in|status/'), /^an answer \((again in|status)/)
  assert.equal(await click('/open/', 'breaker'), 'open')
  down = false
  assert.match(await click('/again in/'), /^an answer \(again in [12] s\)$/)
})
