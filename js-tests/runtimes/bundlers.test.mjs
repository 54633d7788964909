// The package through bundlers, and what comes out of them where it is to run.
import assert from 'node:assert/strict'
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import { installedNode } from '../../npm/scripts/paths.mjs'
import { browser, chromium } from './hosts/chromium.mjs'
import { judge } from './hosts/judge.mjs'
import { project, workplace } from './hosts/project.mjs'
import { serveFolder } from './hosts/server.mjs'
import { bin, environment, found, needs, output, report } from './hosts/tools.mjs'
import { serve, workerd } from './hosts/workerd.mjs'

const folder = await project()
const node = installedNode(24) ?? process.execPath
const PRINT = `import { play } from './scenarios/play.mjs'
play({ brief: true }).then(report => console.log(JSON.stringify(report)))`

const REQUIRE = `import { createRequire as requireFrom } from 'node:module'
const require = requireFrom(import.meta.url)`

/** A folder where nothing of the package is installed. */
function elsewhere(t, files) {
  const work = join(tmpdir(), `seawall-alone-${process.pid}-${Math.random().toString(36).slice(2)}`)
  mkdirSync(work)
  t.after(() => import('node:fs').then(fs => fs.rmSync(work, { recursive: true, force: true })))
  for (const file of files) copyFileSync(file, join(work, file.split('/').at(-1)))
  return work
}

for (const format of ['esm', 'cjs']) {
  test(`esbuild for Node, ${format}, where the package is not installed`, async t => {
    const work = workplace(t, folder, 'esbuild')
    const outfile = join(work, `main.${format === 'esm' ? 'mjs' : 'cjs'}`)
    await build({
      stdin: { contents: PRINT, resolveDir: folder },
      bundle: true,
      platform: 'node',
      format,
      outfile,
      // What everybody adds who bundles CommonJS (here the plugin for Fastify) into a module.
      ...(format === 'esm' && { banner: { js: REQUIRE } }),
      logLevel: 'silent',
    })
    const alone = elsewhere(t, [outfile])
    const seen = await report(node, [join(alone, outfile.split('/').at(-1))], { cwd: alone })
    await judge(t, seen)
    assert.equal(seen.engine, 'wasm')
    const beside = await report(node, [outfile], { cwd: folder })
    assert.equal(beside.engine, 'native', 'where the addon is installed, it is taken')
    const env = environment({ SEAWALL_ENGINE: 'wasm' })
    assert.equal((await report(node, [outfile], { cwd: folder, env })).engine, 'wasm')
  })
}

test('a bundle that believes to be where it was made', async t => {
  // webpack writes the URL of each source into its bundles.
  const work = workplace(t, folder, 'moved')
  const outfile = join(work, 'main.cjs')
  await build({
    stdin: {
      contents: `import { engineKind } from 'seawall'
console.log(JSON.stringify(engineKind()))`,
      resolveDir: folder,
    },
    bundle: true,
    platform: 'node',
    format: 'cjs',
    outfile,
    define: { 'import.meta.url': '"file:///nowhere/node_modules/seawall/dist/engine/x.js"' },
    logLevel: 'silent',
  })
  assert.equal(await report(node, [outfile], { cwd: tmpdir() }), 'native')
  const alone = elsewhere(t, [outfile])
  assert.equal(await report(node, [join(alone, 'main.cjs')], { cwd: alone }), 'wasm')
})

test('esbuild for any platform', async t => {
  const work = workplace(t, folder, 'neutral')
  const outfile = join(work, 'main.mjs')
  await build({
    stdin: {
      contents: `import { CircuitBreaker, engineKind } from 'seawall'
await new CircuitBreaker().execute(() => console.log(JSON.stringify(engineKind())))`,
      resolveDir: folder,
    },
    bundle: true,
    platform: 'neutral',
    format: 'esm',
    outfile,
    mainFields: ['module', 'main'],
    logLevel: 'silent',
  })
  assert.equal(await report(node, [outfile], { cwd: work }), 'wasm')
})

const vite = found('vite')
test('Vite for browsers', {
  skip:
    needs(vite, 'Vite', 'npm package vite') ||
    needs(chromium, 'Chromium', 'Debian package chromium'),
}, async t => {
  const work = workplace(t, folder, 'vite')
  writeFileSync(
    join(work, 'index.html'),
    '<!doctype html><link rel="icon" href="data:,"><script type="module" src="/main.js"></script>',
  )
  writeFileSync(
    join(work, 'main.js'),
    `import { play } from '../../scenarios/play.mjs'
globalThis.played = play({ origin: location.origin, brief: true })`,
  )
  const warnings = []
  const logger = {
    hasWarned: false,
    hasErrorLogged: () => false,
    clearScreen() {},
    info() {},
    error: message => warnings.push(message),
    // Scenarios import when they run, replays at once: that is theirs.
    warn: text => text.includes('INEFFECTIVE_DYNAMIC_IMPORT') || warnings.push(text),
    warnOnce: message => warnings.push(message),
  }
  const { build: bundle } = await import(pathToFileURL(vite).href)
  await bundle({
    root: work,
    configFile: false,
    customLogger: logger,
    build: { chunkSizeWarningLimit: 1e6 },
  })
  assert.deepEqual(warnings, [])
  const server = await serveFolder(join(work, 'dist'))
  t.after(() => server.end())
  const window = await browser()
  t.after(() => window.end())
  const page = await window.open(server.origin)
  const text = await page.evaluate(
    `new Promise(resolve => { const look = () => globalThis.played ? resolve(played) : setTimeout(look, 10); look() }).then(JSON.stringify)`,
  )
  await judge(t, JSON.parse(text))
})

const wrangler = found('wrangler/package.json') && join(bin, 'wrangler/bin/wrangler.js')
test('wrangler deploy --dry-run', {
  skip:
    needs(wrangler, 'wrangler', 'npm package wrangler') ||
    needs(workerd, 'workerd', 'npm package workerd'),
}, async t => {
  const work = workplace(t, folder, 'wrangler')
  writeFileSync(
    join(work, 'worker.mjs'),
    `import { play } from '../../scenarios/play.mjs'
export default { fetch: async () => Response.json(await play({ brief: true })) }`,
  )
  writeFileSync(
    join(work, 'wrangler.json'),
    JSON.stringify({ name: 'a-worker', main: 'worker.mjs', compatibility_date: '2025-09-01' }),
  )
  const home = join(work, 'home')
  mkdirSync(home)
  const quiet = { WRANGLER_SEND_METRICS: 'false', WRANGLER_HIDE_BANNER: 'true', CI: '1' }
  const env = environment({ ...quiet, HOME: home, XDG_CONFIG_HOME: home })
  const args = [wrangler, 'deploy', '--dry-run', '--outdir', 'out', '--config', 'wrangler.json']
  const printed = await output(node, args, { cwd: work, env })
  assert.doesNotMatch(printed, /warning/i)
  const out = join(work, 'out')
  const wasm = readdirSync(out).filter(name => name.endsWith('.wasm'))
  assert.equal(wasm.length, 4, `modules beside the code: ${wasm}`)
  assert.doesNotMatch(readFileSync(join(out, 'worker.js'), 'utf8'), /\batob\(/)
  const server = await serve(work, { main: { folder: out, names: ['worker.js'] } })
  t.after(() => server.end())
  await judge(t, JSON.parse(await server.ask()))
})
