// Which engine runs, and how one is asked for.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { engineKind, engineStats } from 'seawall'
import { platformName } from '../npm/scripts/paths.mjs'

const { version } = createRequire(import.meta.url)('seawall/package.json')

const ask = `import { engineKind } from 'seawall'; console.log(engineKind())`
const why = `import { engineStats } from 'seawall'
  const { kind, reason } = engineStats()
  console.log(kind, reason)`
const use = `import { CircuitBreaker, engineKind } from 'seawall'
  const breaker = new CircuitBreaker(1)
  await breaker.execute(() => Promise.reject(new Error('down'))).catch(() => {})
  const error = await breaker.execute(async () => 1).catch(error => error)
  console.log(engineKind(), error.name)`

function child(script, { engine, flags = [], cwd = import.meta.dirname, type = 'module' } = {}) {
  const { SEAWALL_ENGINE, ...env } = process.env
  if (engine !== undefined) env.SEAWALL_ENGINE = engine
  const args = [...flags, `--input-type=${type}`, '-e', script]
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd,
    env,
    encoding: 'utf8',
    timeout: 60_000,
  })
  return { status, stdout: stdout.trim(), stderr: stderr.trim() }
}

/** A copy of the package without addons. */
let lonely
before(() => {
  lonely = mkdtempSync(join(tmpdir(), 'seawall-lonely-'))
  const manifest = fileURLToPath(import.meta.resolve('seawall/package.json'))
  const source = dirname(realpathSync(manifest))
  const target = join(lonely, 'node_modules/seawall')
  mkdirSync(target, { recursive: true })
  for (const name of ['dist', 'package.json'])
    cpSync(join(source, name), join(target, name), { recursive: true })
  const { dependencies } = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8'))
  for (const name of Object.keys(dependencies)) {
    const file = createRequire(join(source, 'package.json')).resolve(name)
    const end = file.lastIndexOf(join('node_modules', name)) + join('node_modules', name).length
    cpSync(file.slice(0, end), join(lonely, 'node_modules', name), { recursive: true })
  }
  assert.equal(existsSync(join(target, 'platforms')), false)
})
after(() => rmSync(lonely, { recursive: true, force: true }))

test('left alone, the native engine runs where there is one', () => {
  const { stdout, stderr } = child(use)
  assert.deepEqual([stdout, stderr], ['native CircuitBreakerError', ''])
})

for (const engine of ['native', 'wasm']) {
  test(`SEAWALL_ENGINE=${engine} forces it`, () => {
    const { stdout, stderr } = child(use, { engine })
    assert.deepEqual([stdout, stderr], [`${engine} CircuitBreakerError`, ''])
  })

  test(`require finds the package too, on ${engine}`, () => {
    const script = `
      const seawall = require('seawall')
      console.log(seawall.engineKind(), new seawall.CircuitBreaker().isClosed())
      import('seawall').then(imported => console.log(imported.CircuitBreaker === seawall.CircuitBreaker))`
    const { stdout, stderr } = child(script, { engine, type: 'commonjs', flags: ['--no-warnings'] })
    assert.deepEqual([stdout, stderr], [`${engine} true\ntrue`, ''])
  })
}

test('the WASM about the process is loaded when it is needed, and only then', () => {
  const script = `
    const sizes = []
    const { Module } = WebAssembly
    WebAssembly.Module = class extends Module {
      constructor(bytes) { super(bytes); sizes.push(bytes.length) }
    }
    const { CircuitBreaker } = await import('seawall')
    const { PressureMonitor } = await import('seawall/pressure')
    const { HealthChecks } = await import('seawall/health')
    await import('seawall/lifecycle')
    const atImport = sizes.length
    new CircuitBreaker()
    const forCalls = sizes.length
    const monitor = new PressureMonitor({ source: 'manual' })
    const checks = new HealthChecks()
    const level = monitor.level
    let refused
    try { new PressureMonitor({ blockMs: { soft: 9, hard: 3 } }) } catch (error) { refused = error.option }
    console.log(JSON.stringify({ atImport, forCalls, all: sizes.length, level, refused }))`
  const { stdout, stderr } = child(script, { engine: 'wasm' })
  const expected = { atImport: 0, forCalls: 1, all: 2, level: 'normal', refused: 'blockMs.hard' }
  assert.deepEqual(JSON.parse(stdout || '{}'), expected, stderr)
})

test('the engine says why it is that one', () => {
  const name = `seawall-${platformName()}`
  const said = (options = {}) => child(why, options).stdout
  assert.equal(said(), `native ${name} fits`)
  assert.equal(said({ engine: 'wasm' }), 'wasm SEAWALL_ENGINE is "wasm"')
  assert.equal(
    said({ cwd: lonely }),
    `wasm ${name} is not installed: npm install ${name}@${version}`,
  )
  assert.match(said({ flags: ['--no-addons'] }), /^wasm seawall-\S+ cannot be loaded: .*disabled/)
})

test('an empty SEAWALL_ENGINE asks for nothing', () => {
  assert.equal(child(ask, { engine: '' }).stdout, 'native')
})

test('any other SEAWALL_ENGINE is an error, at the first use', () => {
  const { status, stdout } = child(
    `import { CircuitBreaker } from 'seawall'
    for (let i = 0; i < 2; i++) {
      try { new CircuitBreaker() } catch (error) { console.log(error.name, error.code, error.message) }
    }`,
    { engine: 'steam' },
  )
  const line = 'SeawallError SEAWALL_ENGINE SEAWALL_ENGINE must be "native" or "wasm", got "steam"'
  assert.deepEqual([status, stdout], [0, `${line}\n${line}`])
})

test('without an addon the package runs on WASM and says nothing', () => {
  const { status, stdout, stderr } = child(use, { cwd: lonely })
  assert.deepEqual([status, stdout, stderr], [0, 'wasm CircuitBreakerError', ''])
})

test('asked for by name, a missing addon is an error with its cause', () => {
  const script = `import { engineKind } from 'seawall'
    try { engineKind() } catch (error) { console.log(error.code, error.message, error.cause?.code) }`
  const { stdout } = child(script, { cwd: lonely, engine: 'native' })
  const what = `seawall-${platformName()} is not installed: npm install seawall-${platformName()}@${version}`
  assert.equal(stdout, `SEAWALL_ENGINE SEAWALL_ENGINE is "native", but ${what} MODULE_NOT_FOUND`)
})

test('an addon that cannot be loaded is as good as none', () => {
  const folder = join(lonely, 'node_modules', `seawall-${platformName()}`)
  mkdirSync(folder)
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ main: 'seawall.node' }))
  writeFileSync(join(folder, 'seawall.node'), 'no addon at all')
  try {
    const { stdout, stderr } = child(use, { cwd: lonely })
    assert.deepEqual([stdout, stderr], ['wasm CircuitBreakerError', ''])
    assert.match(child(why, { cwd: lonely }).stdout, /^wasm seawall-\S+ cannot be loaded: .+$/)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('--no-addons means WASM', () => {
  const { stdout, stderr } = child(use, { flags: ['--no-addons'] })
  assert.deepEqual([stdout, stderr], ['wasm CircuitBreakerError', ''])
})

test('the kind and the holdings of the engine can be asked for', () => {
  assert.ok(['native', 'wasm'].includes(engineKind()))
  const { kind, breakers } = engineStats()
  assert.equal(kind, engineKind())
  assert.equal(Number.isInteger(breakers), true)
})

test('the engine itself is nobody else’s business', async () => {
  assert.equal('engine' in (await import('seawall')), false)
  await assert.rejects(import('seawall/dist/engine/node.js'), {
    code: 'ERR_PACKAGE_PATH_NOT_EXPORTED',
  })
})
