// The platforms an addon is made for, and what npm is told about each: the only place that lists them,
// but for the names the package looks for (`npm/src/engine/platform.ts`; a test compares the two).
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { NOTICES, writeNotices, writeNoticesOfWasm } from './notices.mjs'
import { root } from './paths.mjs'
import { ask } from './run.mjs'

/**
 * By name: the target of Rust, the file it makes, and for npm the values of `os`, `cpu` and `libc`.
 * A package of the wrong C library would not load, so npm must know which one is meant. What is built
 * on its own system may have a `rehearsal`: a target that Linux can link, to try the same code.
 */
export const platforms = {
  'linux-x64-gnu': linux('x86_64', 'x64', 'gnu'),
  'linux-arm64-gnu': linux('aarch64', 'arm64', 'gnu'),
  'linux-x64-musl': linux('x86_64', 'x64', 'musl'),
  'linux-arm64-musl': linux('aarch64', 'arm64', 'musl'),
  'darwin-x64': darwin('x86_64', 'x64'),
  'darwin-arm64': darwin('aarch64', 'arm64'),
  'win32-x64': {
    target: 'x86_64-pc-windows-msvc',
    rehearsal: 'x86_64-pc-windows-gnu',
    library: 'seawall_node.dll',
    os: 'win32',
    cpu: 'x64',
  },
}

/** One of the table, or what its name says of a platform that only its own builders run on. */
export function platformOf(name) {
  const [os, cpu, libc] = name.split('-')
  const library = os === 'darwin' ? 'libseawall_node.dylib' : 'libseawall_node.so'
  return platforms[name] ?? { library, os, cpu, libc: libc === 'gnu' ? 'glibc' : libc }
}

/** What the addons for glibc may ask for at most: what the programs of Node 22 and later themselves need. */
export const glibc = '2.28'

function linux(machine, cpu, libc) {
  return {
    target: `${machine}-unknown-linux-${libc}`,
    library: 'libseawall_node.so',
    os: 'linux',
    cpu,
    libc: libc === 'gnu' ? 'glibc' : libc,
  }
}

function darwin(machine, cpu) {
  return {
    target: `${machine}-apple-darwin`,
    library: 'libseawall_node.dylib',
    os: 'darwin',
    cpu,
  }
}

const source = () => JSON.parse(readFileSync(join(root, 'npm/package.json'), 'utf8'))

/** The `package.json` of a platform package; its version is that of the package itself. */
export function manifestOf(name) {
  const { version, license, engines, repository } = source()
  const { os, cpu, libc } = platformOf(name)
  return {
    name: `seawall-${name}`,
    version,
    description: `The native engine of seawall for ${name}`,
    license,
    ...(repository && { repository }),
    engines,
    os: [os],
    cpu: [cpu],
    ...(libc && { libc: [libc] }),
    type: 'commonjs',
    main: 'seawall.node',
    files: ['seawall.node', 'LICENSE', NOTICES, 'README.md'],
  }
}

/** Where a platform package is put together. */
export function folderOf(name) {
  return join(root, 'npm/platforms', name)
}

/** Writes all of a platform package but the addon. */
export function writePlatform(name) {
  const folder = folderOf(name)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifestOf(name), null, 2)}\n`)
  cpSync(join(root, 'npm/LICENSE'), join(folder, 'LICENSE'))
  const text = `The native engine of the package \`seawall\` for ${name}.
Install \`seawall\`, which brings it along where it fits.\n`
  writeFileSync(join(folder, 'README.md'), text)
  return folder
}

/** Makes the package of a platform from the library that cargo built. */
export function placeAddon(name, library) {
  const folder = writePlatform(name)
  const addon = join(folder, 'seawall.node')
  // A fresh file each time: a running process may have the old one mapped.
  rmSync(addon, { force: true })
  cpSync(library, addon)
  writeNotices(folder, 'seawall-node', platformOf(name).target ?? ownTarget(), addon)
  return addon
}

/** What cargo builds for where it is not told. */
function ownTarget() {
  return /^host: (.*)$/m.exec(ask('rustc', ['-vV']) ?? '')?.[1]
}

/**
 * The `package.json` of the package as it is published: with every platform package as an optional
 * dependency, at exactly its own version. Not in the sources: there, npm would ask the registry for
 * versions that are yet to be published.
 */
export function publishedManifest() {
  const { dependencies, ...rest } = source()
  const names = Object.keys(platforms)
  const optionalDependencies = Object.fromEntries(
    names.map(name => [`seawall-${name}`, rest.version]),
  )
  return { ...rest, dependencies, optionalDependencies }
}

/** Writes of the package what is published and not in the sources. */
export function writePublished() {
  const manifest = `${JSON.stringify(publishedManifest(), null, 2)}\n`
  writeFileSync(join(root, 'npm/package.json'), manifest)
  cpSync(join(root, 'README.md'), join(root, 'npm/README.md'))
  writeNoticesOfWasm()
}
