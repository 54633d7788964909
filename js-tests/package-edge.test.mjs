// The package where the edge runtimes of Vercel and Next take it from.
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, join } from 'node:path'
import { test } from 'node:test'
import { build } from 'esbuild'

const file = createRequire(import.meta.url).resolve('seawall/package.json')
const { imports } = JSON.parse(readFileSync(file, 'utf8'))
const PARTS = ['classify', 'engine', 'policies', 'process']

/**
 * Bundles as Next does for its edge: `.wasm?module` becomes a name that the runtime has bound to a
 * compiled module, and any other import of `.wasm` is refused. Answers the text and the files.
 */
async function edge(contents) {
  const files = []
  const wasm = {
    name: 'wasm',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /\.wasm(\?.*)?$/ }, ({ path, resolveDir }) => {
        if (!path.endsWith('?module')) return { errors: [{ text: `${path} is no module` }] }
        const file = join(resolveDir, path.slice(0, -'?module'.length))
        if (!existsSync(file)) return { errors: [{ text: `no ${file}` }] }
        files.push(file)
        return { path: file, namespace: 'bound' }
      })
      onLoad({ filter: /./, namespace: 'bound' }, ({ path }) => ({
        contents: `export default wasm_${basename(path, '.wasm')}`,
      }))
    },
  }
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: import.meta.dirname },
    bundle: true,
    write: false,
    platform: 'neutral',
    format: 'esm',
    conditions: ['edge-light', 'worker', 'module', 'import'],
    external: ['kysely', 'node:*'],
    plugins: [wasm],
    logLevel: 'silent',
  })
  return { text: outputFiles[0].text, files }
}

test('each part of the WASM has a file for edges, which asks for a compiled module', () => {
  for (const part of PARTS) {
    const from = new URL(imports[`#${part}`]['edge-light'], `file://${file}`)
    const [, specifier] = /from\s*'([^']+)'/.exec(readFileSync(from, 'utf8'))
    assert.match(specifier, /\?module$/, part)
    const wasm = new URL(specifier.replace('?module', ''), from)
    assert.equal(basename(wasm.pathname), `${part}.wasm`)
    assert.ok(existsSync(wasm), wasm.pathname)
  }
})

test('a bundle for edges has modules that are compiled, and runs on them', async () => {
  const { text, files } = await edge(`export * from 'seawall'
export { PressureMonitor } from 'seawall/pressure'`)
  assert.deepEqual(files.map(path => basename(path, '.wasm')).sort(), PARTS)
  assert.doesNotMatch(text, /\batob\(/, 'nothing is compiled there')
  for (const path of files) {
    const name = `wasm_${basename(path, '.wasm')}`
    globalThis[name] = await WebAssembly.compile(readFileSync(path))
  }
  const bundled = Buffer.from(text).toString('base64')
  const seawall = await import(`data:text/javascript;base64,${bundled}`)
  assert.equal(seawall.engineKind(), 'wasm')
  const breaker = new seawall.CircuitBreaker(2, 60_000)
  assert.equal(await breaker.execute(() => 7), 7)
  const fails = () => Promise.reject(Object.assign(new Error('no'), { code: 'ECONNREFUSED' }))
  for (let i = 0; i < 2; i++) await assert.rejects(breaker.execute(fails), /no/)
  assert.equal(breaker.isOpen(), true)
  await assert.rejects(breaker.execute(fails), { name: 'CircuitBreakerError' })
  assert.equal(seawall.classify(await fails().catch(error => error)).transient, true)
  const bulkhead = new seawall.Bulkhead({ maxConcurrent: 1 })
  assert.equal(await bulkhead.execute(() => 3), 3)
})
