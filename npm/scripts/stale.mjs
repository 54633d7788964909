// Whether a part of the package is older than its sources: by what they contain, not by their dates,
// so that a checkout to and fro, or a fresh clone with a cache, builds nothing.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { NOTICES } from './notices.mjs'
import { dist, platformName, root, wasmParts } from './paths.mjs'

const crates = ['Cargo.toml', 'Cargo.lock', 'core/Cargo.toml', 'core/src', 'npm/scripts/build.mjs']
const platform = join(root, 'npm/platforms', platformName())
const engine = join(dist, 'engine')

const parts = {
  native: {
    from: [
      ...crates,
      'node-binding/Cargo.toml',
      'node-binding/build.rs',
      'node-binding/src',
      'npm/package.json',
      'npm/scripts/platforms.mjs',
      'npm/scripts/notices.mjs',
      'npm/scripts/notices-rust.mjs',
      'npm/scripts/licences',
      'npm/scripts/licences.mjs',
      'LICENSE',
      'npm/LICENSE',
    ],
    to: ['seawall.node', 'package.json', NOTICES].map(file => join(platform, file)),
  },
  wasm: {
    from: [
      ...crates,
      'wasm-binding/Cargo.toml',
      'wasm-binding/src',
      'wasm-binding/bindgen/Cargo.lock',
      'wasm-binding/bindgen/src',
      'npm/scripts/wasm.mjs',
      'npm/scripts/wasm-split.mjs',
    ],
    to: Object.entries(wasmParts).flatMap(([part, folder]) => [
      join(dist, `${part}.wasm`),
      join(dist, folder, 'wasm-glue.js'),
      join(dist, folder, 'wasm-bytes.js'),
    ]),
  },
  ts: {
    from: [
      'npm/src',
      'npm/tsconfig.json',
      'npm/package.json',
      'npm/scripts/build.mjs',
      'npm/scripts/modules.mjs',
      'README.md',
      'package-lock.json',
    ],
    to: [
      join(dist, 'index.js'),
      join(dist, 'node/index.js'),
      join(engine, 'deno.js'),
      join(engine, 'classify/deno.js'),
      join(engine, 'policies/deno.js'),
      join(engine, 'process/deno.js'),
      join(root, 'npm/README.md'),
    ],
  },
}

/** The parts that have to be built, in the order to build them. */
export function staleParts() {
  return Object.keys(parts).filter(part => {
    const stamp = stampOf(part)
    if (!existsSync(stamp) || !parts[part].to.every(existsSync)) return true
    return readFileSync(stamp, 'utf8') !== digest(parts[part].from)
  })
}

/** Call before a build; call what it returns once the build succeeded. */
export function markBuilt(part) {
  // Taken first: a source edited during the build makes the part stale again.
  const sources = digest(parts[part].from)
  return () => {
    mkdirSync(join(root, 'target/built'), { recursive: true })
    writeFileSync(stampOf(part), sources)
  }
}

function stampOf(part) {
  return join(root, 'target/built', part)
}

function digest(sources) {
  const hash = createHash('sha256')
  for (const path of sources.flatMap(files)) {
    hash
      .update(`${path}\0`)
      .update(readFileSync(join(root, path)))
      .update('\0')
  }
  return hash.digest('hex')
}

function files(path) {
  if (!existsSync(join(root, path))) return []
  if (!statSync(join(root, path)).isDirectory()) return [path]
  return readdirSync(join(root, path))
    .sort()
    .flatMap(name => files(join(path, name)))
}
