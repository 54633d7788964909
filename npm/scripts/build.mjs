// Builds the package: the addon of this platform, the WASM engine, the TypeScript.
// Runs on any Node from 20 on. `npm run build`, or `npm run build -- native|wasm|ts` for one part.
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, rmSync, writeFileSync, readFileSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'

const root = new URL('../..', import.meta.url).pathname
const targetDir = process.env.CARGO_TARGET_DIR ?? join(root, 'target')
const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'seawall')
const dist = join(root, 'npm/dist')

function run(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options })
  if (error) throw error
  if (status !== 0) process.exit(status ?? 1)
}

function step(text) {
  console.log(`\u001b[36m▸\u001b[0m ${text}`)
}

function platformName() {
  const { platform, arch } = process
  if (platform !== 'linux') return `${platform}-${arch}`
  return `${platform}-${arch}-${process.report.getReport().header.glibcVersionRuntime ? 'gnu' : 'musl'}`
}

function native() {
  step('native addon (cargo, release)')
  run('cargo', ['build', '--release', '--locked', '-p', 'seawall-node'])
  const name = platformName()
  const dir = join(root, 'npm/platforms', name)
  mkdirSync(dir, { recursive: true })
  const library = { darwin: 'libseawall_node.dylib', win32: 'seawall_node.dll' }[process.platform] ?? 'libseawall_node.so'
  // A fresh file each time: a running process may have the old one mapped.
  rmSync(join(dir, 'seawall.node'), { force: true })
  cpSync(join(targetDir, 'release', library), join(dir, 'seawall.node'))
  const { version, license } = JSON.parse(readFileSync(join(root, 'npm/package.json'), 'utf8'))
  const [os, cpu, libc] = name.split('-')
  writeFileSync(
    join(dir, 'package.json'),
    `${JSON.stringify({ name: `seawall-${name}`, version, license, os: [os], cpu: [cpu], ...(libc && { libc: [libc === 'gnu' ? 'glibc' : libc] }), main: 'seawall.node', files: ['seawall.node'] }, null, 2)}\n`,
  )
}

function wasm() {
  const bindgen = join(cache, 'bindgen/release/seawall-bindgen')
  const lock = readFileSync(join(root, 'wasm-binding/bindgen/Cargo.lock'), 'utf8')
  const stamp = join(cache, 'bindgen/Cargo.lock')
  if (!existsSync(bindgen) || !existsSync(stamp) || readFileSync(stamp, 'utf8') !== lock) {
    step('wasm-bindgen generator (cargo, once, about a minute)')
    run('cargo', ['build', '--release', '--locked', '--manifest-path', 'wasm-binding/bindgen/Cargo.toml'], {
      env: { ...process.env, CARGO_TARGET_DIR: join(cache, 'bindgen') },
    })
    writeFileSync(stamp, lock)
  }
  step('WASM engine (cargo, wasm-bindgen, wasm-opt)')
  run('cargo', ['build', '--profile', 'wasm', '--locked', '-p', 'seawall-wasm', '--target', 'wasm32-unknown-unknown'], {
    env: { ...process.env, RUSTFLAGS: '-C link-arg=-zstack-size=65536' },
  })
  const out = join(targetDir, 'wasm-glue')
  run(bindgen, [join(targetDir, 'wasm32-unknown-unknown/wasm/seawall_wasm.wasm'), out, 'engine'])
  mkdirSync(join(dist, 'engine'), { recursive: true })
  run(process.execPath, [
    join(root, 'node_modules/binaryen/bin/wasm-opt'),
    // Nothing lies in the lowest kilobyte: the stack begins there, and ends in a trap before it.
    '-Oz', '--converge', '--gufa', '--low-memory-unused', '--enable-bulk-memory', '--enable-nontrapping-float-to-int', '--enable-sign-ext', '--enable-mutable-globals', '--enable-reference-types', '--enable-multivalue',
    '--strip-producers', '--strip-target-features',
    join(out, 'engine_bg.wasm'), '-o', join(dist, 'engine.wasm'),
  ])
  cpSync(join(out, 'engine.js'), join(dist, 'engine/wasm-glue.js'))
  const bytes = readFileSync(join(dist, 'engine.wasm'))
  writeFileSync(
    join(dist, 'engine/wasm-bytes.js'),
    `export const bytes = () => Uint8Array.from(atob('${bytes.toString('base64')}'), c => c.charCodeAt(0))\n`,
  )
  console.log(`  engine.wasm ${statSync(join(dist, 'engine.wasm')).size} bytes, ${gzipSync(bytes, { level: 9 }).length} gzip`)
}

// One file for each entry and the code they share: reading twenty small modules takes Node longer
// than all they do, and every import of the package would pay for it.
async function ts() {
  step('TypeScript (tsc for types, esbuild for code)')
  run(join(root, 'node_modules/.bin/tsc'), ['-p', 'npm/tsconfig.json', '--emitDeclarationOnly'])
  const { build } = await import('esbuild')
  const src = join(root, 'npm/src')
  const entries = ['index', 'engine/node', 'engine/native', 'engine/wasm', 'engine/inline']
  for (const name of ['index', 'health', 'resilience', 'pool', 'shutdown']) {
    if (existsSync(join(src, 'kysely', `${name}.ts`))) entries.push(`kysely/${name}`)
  }
  await build({
    entryPoints: entries.map(name => join(src, `${name}.ts`)),
    outbase: src,
    outdir: dist,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'neutral',
    target: 'es2023',
    chunkNames: 'engine/[name]-[hash]',
    external: ['node:*', '#engine', '*/wasm-glue.js', '*/wasm-bytes.js'],
    logLevel: 'warning',
  })
  for (const name of ['deno.js', 'workerd.js']) {
    cpSync(join(src, 'engine', name), join(dist, 'engine', name))
  }
}

const parts = { native, wasm, ts }
const wanted = process.argv.slice(2)
for (const name of wanted.length > 0 ? wanted : Object.keys(parts)) await parts[name]()
