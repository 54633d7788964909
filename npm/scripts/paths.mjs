// Where things lie, for all scripts.
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../..', import.meta.url))
export const dist = join(root, 'npm/dist')
export const targetDir = process.env.CARGO_TARGET_DIR ?? join(root, 'target')
/** Outlives a checkout: tools that are built once. */
export const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'seawall')

/** The files of the WASM build, and the folders of what starts each. */
export const wasmParts = {
  engine: 'engine',
  policies: 'engine/policies',
  classify: 'engine/classify',
  process: 'engine/process',
}

/** The name of this platform in the names of the platform packages. */
export function platformName() {
  const { platform, arch } = process
  if (platform !== 'linux') return `${platform}-${arch}`
  const { header } = process.report.getReport()
  return `${platform}-${arch}-${header.glibcVersionRuntime ? 'gnu' : 'musl'}`
}

/** The program of Node `major` that npm installed for this platform, if it did. */
export function installedNode(major) {
  const { platform, arch } = process
  const names = [`node${major}`, `node${major}-${platform}-${arch}`]
  return names.map(name => join(root, 'node_modules', name, 'bin/node')).find(existsSync)
}

/** The Node that runs the demo, the tests and the benchmarks: ours, or the running one if it is new enough. */
export function projectNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  const newEnough = major > 22 || (major === 22 && minor >= 12)
  return installedNode(24) ?? (newEnough ? process.execPath : undefined)
}
