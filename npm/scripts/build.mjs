// Builds the package: the addon of this platform, the WASM engine, the TypeScript.
// Runs on any Node from 20 on. `npm run build`, or `npm run build -- native|wasm|ts` for one part.
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { gzipSync } from 'node:zlib'
import { cache, dist, platformName, root, targetDir, wasmParts } from './paths.mjs'
import { placeAddon, platformOf } from './platforms.mjs'
import { ask, must } from './run.mjs'
import { wasmToolchain } from './rust.mjs'
import { main, note, Stop, seconds, step } from './say.mjs'
import { markBuilt } from './stale.mjs'

function native() {
  step('native addon (cargo, release)')
  must('cargo', ['build', '--release', '--locked', '-p', 'seawall-node'])
  const name = platformName()
  placeAddon(name, join(targetDir, 'release', platformOf(name).library))
}

/** The generator of the glue, at the version of its lock file; built once and kept. */
function bindgen() {
  const program = join(cache, 'bindgen/release/seawall-bindgen')
  const lock = readFileSync(join(root, 'wasm-binding/bindgen/Cargo.lock'), 'utf8')
  const stamp = join(cache, 'bindgen/Cargo.lock')
  if (!existsSync(program) || !existsSync(stamp) || readFileSync(stamp, 'utf8') !== lock) {
    step('wasm-bindgen generator (cargo, once, about a minute)')
    const manifest = 'wasm-binding/bindgen/Cargo.toml'
    must('cargo', ['build', '--release', '--locked', '--manifest-path', manifest], {
      env: { ...process.env, CARGO_TARGET_DIR: join(cache, 'bindgen') },
    })
    writeFileSync(stamp, lock)
  }
  return program
}

function wasm() {
  const toolchain = wasmToolchain()
  const generator = bindgen()
  const triple = 'wasm32-unknown-unknown'
  const crate = ['build', '--profile', 'wasm', '--locked', '-p', 'seawall-wasm', '--target', triple]
  const env = {
    ...process.env,
    CARGO_ENCODED_RUSTFLAGS: rustflags().join('\u001f'),
    ...toolchain.env,
  }
  for (const part of Object.keys(wasmParts)) {
    step(`WASM, ${part} (cargo, wasm-bindgen, wasm-opt)`)
    const features = ['--no-default-features', '--features', part]
    must('cargo', [...crate, ...features, ...toolchain.args], { env })
    const out = join(targetDir, 'wasm-glue')
    must(generator, [join(targetDir, triple, 'wasm/seawall_wasm.wasm'), out, part])
    finish(part, out)
  }
}

/** What wasm-bindgen made of a part, smaller, and where the package has it. */
function finish(part, out) {
  const file = `${part}.wasm`
  const folder = join(dist, wasmParts[part])
  mkdirSync(folder, { recursive: true })
  must(process.execPath, [
    join(root, 'node_modules/binaryen/bin/wasm-opt'),
    // Code that is taken apart and put together anew, by functions as they were written, packs best.
    '--flatten',
    '--rereloop',
    '-Oz',
    '-Oz',
    '--converge',
    '--one-caller-inline-max-function-size=20',
    '--always-inline-max-function-size=4',
    '--enable-bulk-memory',
    '--enable-nontrapping-float-to-int',
    '--enable-sign-ext',
    '--enable-mutable-globals',
    '--enable-reference-types',
    '--enable-multivalue',
    '--strip-producers',
    '--strip-target-features',
    join(out, `${part}_bg.wasm`),
    '-o',
    join(dist, file),
  ])
  cpSync(join(out, `${part}.js`), join(folder, 'wasm-glue.js'))
  const bytes = readFileSync(join(dist, file))
  writeFileSync(
    join(folder, 'wasm-bytes.js'),
    `export const bytes = () => Uint8Array.from(atob('${bytes.toString('base64')}'), c => c.charCodeAt(0))\n`,
  )
  note(`${file} ${bytes.length} bytes, ${gzipSync(bytes, { level: 9 }).length} gzip`)
}

/** A small stack, and no paths of this machine in the messages of the standard library. */
function rustflags() {
  const library = join(ask('rustc', ['--print', 'sysroot']), 'lib/rustlib/src/rust/library/')
  const crates = join(process.env.CARGO_HOME ?? join(homedir(), '.cargo'), 'registry/src/')
  const paths = [root, crates, library].map(path => `--remap-path-prefix=${path}=`)
  return ['-Clink-arg=-zstack-size=65536', ...paths]
}

async function ts() {
  step('TypeScript (tsc for types, esbuild for code)')
  clean()
  must(join(root, 'node_modules/.bin/tsc'), ['-p', 'npm/tsconfig.json', '--emitDeclarationOnly'])
  const src = join(root, 'npm/src')
  const { modules } = await import('./modules.mjs')
  const sources = readdirSync(src, { recursive: true }).map(name => name.replaceAll('\\', '/'))
  await modules(sources.filter(name => name.endsWith('.ts') && !name.endsWith('.d.ts')))
  await commonjs()
  for (const folder of Object.values(wasmParts)) {
    for (const name of ['deno.js', 'workerd.js']) {
      cpSync(join(src, folder, name), join(dist, folder, name))
    }
  }
  cpSync(join(root, 'README.md'), join(root, 'npm/README.md'))
}

/** What is a function, as `require` gives it: one file, with nothing to read beside it. */
async function commonjs() {
  const { build } = await import('esbuild')
  const src = join(root, 'npm/src/fastify')
  await build({
    entryPoints: [join(src, 'plugin.ts')],
    outfile: join(dist, 'fastify/index.cjs'),
    bundle: true,
    format: 'cjs',
    platform: 'node',
    target: 'node22',
    minifyWhitespace: true,
    minifySyntax: true,
    footer: { js: 'module.exports = module.exports.fastifyUnderPressure' },
    external: ['seawall/*'],
    logLevel: 'warning',
  })
  cpSync(join(src, 'index.d.cts'), join(dist, 'fastify/index.d.cts'))
}

/** Empties `dist` but for what the WASM build put there: files of sources that are gone would be packed. */
function clean() {
  const kept = Object.entries(wasmParts)
    .flatMap(([part, folder]) => [
      `${part}.wasm`,
      `${folder}/wasm-glue.js`,
      `${folder}/wasm-bytes.js`,
    ])
    .map(name => join(dist, name))
    .filter(existsSync)
    .map(path => [path, readFileSync(path)])
  rmSync(dist, { recursive: true, force: true })
  for (const folder of Object.values(wasmParts)) mkdirSync(join(dist, folder), { recursive: true })
  for (const [path, bytes] of kept) writeFileSync(path, bytes)
}

const parts = { native, wasm, ts }

/** Builds one part and notes from which sources. */
export async function build(part) {
  const started = performance.now()
  const built = markBuilt(part)
  await parts[part]()
  built()
  note(`${part} took ${seconds(started)}`)
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main(async () => {
    const wanted = process.argv.slice(2)
    for (const part of wanted.length > 0 ? wanted : Object.keys(parts)) {
      if (!(part in parts)) throw new Stop(`no part "${part}": ${Object.keys(parts).join(', ')}`)
      await build(part)
    }
  })
}
