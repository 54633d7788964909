// The WASM build: cargo, wasm-bindgen and wasm-opt, and what JavaScript needs to start each file.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { cache, dist, root, targetDir, wasmParts } from './paths.mjs'
import { ask, must } from './run.mjs'
import { wasmToolchain } from './rust.mjs'
import { note, step } from './say.mjs'
import { shorten, split } from './wasm-split.mjs'

const triple = 'wasm32-unknown-unknown'
const sources = join(root, 'wasm-binding/src')

/** What WASM may contain: what every runtime has. */
const features = [
  'bulk-memory',
  'nontrapping-float-to-int',
  'sign-ext',
  'mutable-globals',
  'reference-types',
  'multivalue',
].map(name => `--enable-${name}`)

/** Builds all of them. */
export async function modules() {
  const toolchain = wasmToolchain()
  const generator = bindgen()
  for (const parts of [['engine', 'policies'], ['classify'], ['process']]) {
    step(`WASM, ${parts.join(' and ')} (cargo, wasm-bindgen, wasm-opt)`)
    const [name] = parts
    compile(toolchain, parts)
    const out = join(targetDir, 'wasm-glue')
    must(generator, [join(targetDir, triple, 'wasm/seawall_wasm.wasm'), out, name])
    const text = join(out, `${name}.wat`)
    optimize([join(out, `${name}_bg.wasm`), '-S', '-o', text, ...thorough])
    await finish(parts, readFileSync(text, 'utf8'), join(out, `${name}.js`))
  }
}

function compile(toolchain, parts) {
  const crate = ['build', '--profile', 'wasm', '--locked', '-p', 'seawall-wasm', '--target', triple]
  const args = [...crate, '--no-default-features', '--features', parts.join(), ...toolchain.args]
  const env = { ...process.env, CARGO_ENCODED_RUSTFLAGS: rustflags().join('\u001f') }
  must('cargo', args, { env: { ...env, ...toolchain.env } })
}

/** A small stack, and no paths of this machine in the messages of the standard library. */
function rustflags() {
  const library = join(ask('rustc', ['--print', 'sysroot']), 'lib/rustlib/src/rust/library/')
  const crates = join(process.env.CARGO_HOME ?? join(homedir(), '.cargo'), 'registry/src/')
  const paths = [root, crates, library].map(path => `--remap-path-prefix=${path}=`)
  return ['-Clink-arg=-zstack-size=65536', ...paths]
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

const thorough = [
  // Code that is taken apart and put together anew, by functions as they were written, packs best.
  '--flatten',
  '--rereloop',
  '-Oz',
  '-Oz',
  '--converge',
  '--one-caller-inline-max-function-size=20',
  '--always-inline-max-function-size=4',
  '--strip-producers',
  '--strip-target-features',
]

function optimize(args) {
  must(process.execPath, [join(root, 'node_modules/binaryen/bin/wasm-opt'), ...features, ...args])
}

/** What wasm-bindgen made, as one file for each part and glue for it, where the package has them. */
async function finish(parts, text, glue) {
  const [first, second] = parts
  const later = second ? exportsOf(second) : []
  const { modules, short } = shorten(split(text, name => later.includes(name)))
  const calls = readFileSync(glue, 'utf8').replace(/\bwasm\.(\w+)/g, (all, name) =>
    short.has(name) ? `wasm.${short.get(name)}` : all,
  )
  writeFileSync(glue, `${calls}\nexport function use(exports) { wasm = exports }\n`)
  for (const [index, part] of parts.entries()) {
    const folder = join(dist, wasmParts[part])
    mkdirSync(folder, { recursive: true })
    const file = join(dist, `${part}.wasm`)
    const made = join(targetDir, 'wasm-glue', `${part}.wat`)
    writeFileSync(made, modules[index])
    optimize([made, '-o', file, '--remove-unused-module-elements'])
    const start = part === first ? 'initSync' : 'use'
    const options = part === 'classify' ? [] : exportsOf('options')
    await pick([start, ...options, ...exportsOf(part)], glue, folder)
    const bytes = readFileSync(file)
    writeFileSync(
      join(folder, 'wasm-bytes.js'),
      `export const bytes = () => Uint8Array.from(atob('${bytes.toString('base64')}'), c => c.charCodeAt(0))\n`,
    )
    note(`${part}.wasm ${bytes.length} bytes, ${gzipSync(bytes, { level: 9 }).length} gzip`)
  }
}

/** What the sources of a part export. */
function exportsOf(part) {
  const folder = join(sources, part)
  const files = existsSync(folder)
    ? readdirSync(folder).map(name => join(folder, name))
    : [`${folder}.rs`]
  const text = files.map(file => readFileSync(file, 'utf8')).join('\n')
  return Array.from(text.matchAll(/\bjs_name = (\w+)/g), ([, name]) => name)
}

/**
 * The glue for some of the functions alone, all of it inside one function: until that is called, a
 * runtime skims it, and makes neither functions nor decoders of it.
 */
async function pick(names, glue, folder) {
  const { outputFiles } = await build({
    stdin: {
      contents: `export { ${names.join(', ')} } from './${basename(glue)}'`,
      resolveDir: dirname(glue),
    },
    write: false,
    bundle: true,
    format: 'esm',
    target: 'es2023',
    minifyWhitespace: true,
    minifySyntax: true,
    logLevel: 'warning',
  })
  const [, code, exported] = /^(.*)export\{([^}]*)\};\s*$/s.exec(outputFiles[0].text)
  const list = exported.split(',').map(name => name.split(' as ').reverse().join(':'))
  writeFileSync(
    join(folder, 'wasm-glue.js'),
    `export function glue(){${code}return{${list.join(',')}}}\n`,
  )
}
