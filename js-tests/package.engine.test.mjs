// The package as published: which engine runs, and what an import does.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import * as seawall from 'seawall'

const wanted = process.env.SEAWALL_ENGINE ?? 'native'

function inChild(script, { flags = [], env = {} } = {}) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [...flags, '--input-type=module', '-e', script],
    {
      cwd: import.meta.dirname,
      encoding: 'utf8',
      env: { ...process.env, ...env },
      timeout: 60_000,
    },
  )
  return { status, stdout: stdout.trim(), stderr: stderr.trim() }
}

test('the packed package is the one under test', () => {
  assert.match(
    import.meta.resolve('seawall'),
    /js-tests\/node_modules\/seawall\/dist\/node\/index\.js$/,
  )
})

test('the engine is the one that was asked for', () => {
  assert.equal(seawall.engineKind(), wanted)
})

test('without the addon the package runs on WASM', () => {
  const { stdout, stderr } = inChild(
    `import { engineKind } from 'seawall'; console.log(engineKind())`,
    {
      flags: ['--no-addons'],
      env: { SEAWALL_ENGINE: '' },
    },
  )
  assert.equal(stdout, 'wasm', stderr)
})

test('an engine that does not exist is refused by name', () => {
  const { stdout } = inChild(
    `import { engineKind } from 'seawall'; try { engineKind() } catch (error) { console.log(error.message) }`,
    { env: { SEAWALL_ENGINE: 'steam' } },
  )
  assert.match(stdout, /native.*wasm.*steam/)
})

test('require and import give the same module', () => {
  const required = createRequire(import.meta.url)('seawall')
  assert.deepEqual(Object.keys(required).sort(), Object.keys(seawall).sort())
  assert.equal(required.engineKind, seawall.engineKind)
})

test('an import starts nothing: no timer, no engine, no clock, no randomness', () => {
  const { status, stdout, stderr } = inChild(`
    const used = []
    for (const [owner, name] of [[globalThis, 'setTimeout'], [globalThis, 'setInterval'],
      [globalThis, 'setImmediate'], [Date, 'now'], [performance, 'now'], [Math, 'random'],
      [crypto, 'getRandomValues'], [WebAssembly, 'Module'], [process, 'dlopen']]) {
      const original = owner[name]
      // The loader of modules may time what it does; only the package's own calls count.
      const seen = how => (...call) => {
        if (/seawall[/]dist/.test(new Error().stack)) used.push(name)
        return how(...call)
      }
      const traps = { apply: seen(Reflect.apply), construct: seen(Reflect.construct) }
      owner[name] = new Proxy(original, traps)
    }
    await import('seawall')
    const atImport = used.length
    ;(await import('seawall')).engineKind()
    console.log(JSON.stringify({ atImport: used.slice(0, atImport), later: used.slice(atImport) }))
  `)
  assert.equal(status, 0, stderr)
  const { atImport, later } = JSON.parse(stdout)
  assert.deepEqual(atImport, [])
  assert.ok(
    later.includes(wanted === 'wasm' ? 'Module' : 'dlopen'),
    'the watch sees what it watches',
  )
})
