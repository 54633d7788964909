// The package in a real page: bundled, and as it is, with a map of imports.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { build } from 'esbuild'
import { browser, chromium } from './hosts/chromium.mjs'
import { columnOf, inTable, judge } from './hosts/judge.mjs'
import { project, workplace } from './hosts/project.mjs'
import { serveFolder } from './hosts/server.mjs'
import { needs } from './hosts/tools.mjs'

const skip = needs(chromium, 'Chromium', 'Debian package chromium')
const folder = await project()
const ASK = `new Promise(resolve => {
  const look = () => (globalThis.played ? resolve(globalThis.played) : setTimeout(look, 10))
  look()
}).then(report => JSON.stringify(report))`

/** Opens a page of the folder, and answers what its `played` comes to. */
async function visit(t, served, path = '/') {
  const server = await serveFolder(served)
  t.after(() => server.end())
  const window = await browser()
  t.after(() => window.end())
  const page = await window.open(`${server.origin}${path}`)
  const seen = JSON.parse(await page.evaluate(ASK))
  return { seen, errors: page.errors, version: window.version }
}

const page = head => `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">${head}`

test('Chromium, bundled by esbuild', { skip }, async t => {
  const work = workplace(t, folder, 'page')
  await build({
    stdin: {
      contents: `import { play } from './scenarios/play.mjs'
globalThis.played = play({ origin: location.origin })`,
      resolveDir: folder,
    },
    bundle: true,
    format: 'esm',
    outfile: join(work, 'main.js'),
    logLevel: 'silent',
  })
  writeFileSync(join(work, 'index.html'), page('<script type="module" src="/main.js"></script>'))
  const { seen, errors } = await visit(t, work)
  await judge(t, seen)
  assert.equal(seen.engine, 'wasm')
  // The 503s of the origin are logged by the browser itself.
  assert.deepEqual(
    errors.filter(error => !error.includes('503')),
    [],
  )
  await t.test('what it has is what the table says', () =>
    inTable('Browsers', columnOf(seen, { 'names shared by': 'a page' })),
  )
})

test('Chromium, without a bundler', { skip }, async t => {
  const work = workplace(t, folder, 'unbundled')
  const imports = {
    seawall: '/node_modules/seawall/dist/index.js',
    '#engine': '/node_modules/seawall/dist/engine/inline.js',
    '#policies': '/node_modules/seawall/dist/engine/policies/inline.js',
    '#classify': '/node_modules/seawall/dist/engine/classify/inline.js',
    '#lru': '/node_modules/seawall/dist/lru/inline.js',
    'lru-cache': '/node_modules/lru-cache/dist/esm/index.min.js',
  }
  const name = join(work, 'index.html')
  writeFileSync(
    name,
    page(`<script type="importmap">${JSON.stringify({ imports })}</script>
<script type="module">
import { CircuitBreaker, engineKind } from 'seawall'
const breaker = new CircuitBreaker({ threshold: 1 })
await breaker.tryExecute(() => Promise.reject(new Error('down')))
globalThis.played = Promise.resolve({ engine: engineKind(), open: breaker.isOpen() })
</script>`),
  )
  const { seen } = await visit(t, folder, name.slice(folder.length))
  assert.deepEqual(seen, { engine: 'wasm', open: true })
})
