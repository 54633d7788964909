// The two builds of the package: the one Node loads, and the one bundlers take from.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { build } from 'esbuild'
import * as seawall from 'seawall'

const require = createRequire(import.meta.url)
const { exports } = JSON.parse(readFileSync(require.resolve('seawall/package.json'), 'utf8'))
// An entry in CommonJS is one file for everybody.
const isModule = entry => typeof entry === 'object' && !entry.default.endsWith('.cjs')
const subpaths = Object.keys(exports).filter(key => isModule(exports[key]))
const specifier = subpath => `seawall${subpath.slice(1)}`
const isClass = value => typeof value === 'function' && /^class\b/.test(String(value))

async function bundle(contents, platform = 'node') {
  const { outputFiles, metafile } = await build({
    stdin: { contents, resolveDir: import.meta.dirname },
    bundle: true,
    write: false,
    metafile: true,
    minify: true,
    platform,
    format: 'esm',
    external: ['kysely', 'node:*'],
  })
  // The engine comes with every bundle, as far as it is used.
  const engine = Object.values(metafile.outputs).flatMap(({ inputs }) =>
    Object.entries(inputs).flatMap(([file, { bytesInOutput }]) =>
      /wasm-(bytes|glue)\.js$/.test(file) ? [bytesInOutput] : [],
    ),
  )
  const [{ inputs }] = Object.values(metafile.outputs)
  return {
    text: outputFiles[0].text,
    size: outputFiles[0].contents.length - engine.reduce((sum, bytes) => sum + bytes, 0),
    files: Object.keys(metafile.inputs),
    used: Object.keys(inputs),
  }
}

test('every entry has the same classes, imported or required', async () => {
  let met = 0
  for (const subpath of subpaths) {
    const imported = await import(specifier(subpath))
    const required = require(specifier(subpath))
    for (const [name, value] of Object.entries(imported)) {
      assert.equal(required[name], value, `${name} of ${subpath}, required`)
      const ours = Object.entries(seawall).find(([other]) => other === name)?.[1]
      if (!isClass(value) || ours === undefined) continue
      assert.equal(value, ours, `${name} of ${subpath}`)
      met++
    }
  }
  assert.ok(met > Object.values(seawall).filter(isClass).length)
})

test('an error of one entry is an instance of the class of another', async () => {
  const { memoryStore } = await import('seawall/stores')
  assert.throws(() => memoryStore({ maxByte: 1 }), seawall.OptionError)
})

test('Node reads one small file for an entry, and the shared one', () => {
  for (const subpath of subpaths)
    assert.match(exports[subpath].node, /^\.\/dist\/node\/[\w-]+\.js$/)
  const index = readFileSync(new URL(import.meta.resolve('seawall')), 'utf8')
  assert.deepEqual(
    [...index.matchAll(/from\s*"([^"]+)"/g)].map(([, from]) => from),
    ['./shared.js'],
  )
  const shared = readFileSync(new URL('./shared.js', import.meta.resolve('seawall')), 'utf8')
  const from = [...shared.matchAll(/\}\s*from\s*"([^"]+)"/g)].map(([, from]) => from)
  assert.deepEqual(
    from.filter(name => !name.startsWith('node:')),
    [],
  )
})

test('a bundler takes the modules, and leaves out what nobody asked for', async () => {
  const all = await bundle(`export * from 'seawall'`)
  const { size, files } = await bundle(`export { CircuitBreaker } from 'seawall'`)
  assert.ok(size < all.size / 3, `${size} of ${all.size} bytes`)
  assert.deepEqual(
    files.filter(file => /dist\/node\//.test(file)),
    [],
  )
})

test('a bundler takes the parts of the WASM that somebody asked for', async () => {
  const parts = async contents => {
    const { used } = await bundle(contents, 'browser')
    return used.flatMap(file => /(\w+)\/wasm-glue\.js$/.exec(file)?.[1] ?? []).sort()
  }
  assert.deepEqual(await parts(`export { CircuitBreaker, withRetry } from 'seawall'`), [
    'classify',
    'engine',
  ])
  assert.deepEqual(await parts(`export { classify } from 'seawall'`), ['classify'])
  assert.deepEqual(await parts(`export { Bulkhead } from 'seawall'`), ['engine', 'policies'])
  assert.deepEqual(await parts(`export * from 'seawall'`), ['classify', 'engine', 'policies'])
  assert.ok((await parts(`export * from 'seawall/pressure'`)).includes('process'))
})

test('bundlers meet no `createRequire` that they would replace', async () => {
  // webpack warns of one it knows whose place it cannot tell, and what is then required is not found.
  const entries = subpaths.map(
    subpath => `export * as _${subpath.replace(/\W/g, '_')} from '${specifier(subpath)}'`,
  )
  const { text, files } = await bundle(entries.join('\n'))
  assert.ok(files.some(file => file.endsWith('dist/express/framework.js')))
  const imported = [...text.matchAll(/import([^;]*?)from\s*"(?:node:)?module"/g)].map(
    ([all]) => all,
  )
  assert.deepEqual(imported, [])
})
