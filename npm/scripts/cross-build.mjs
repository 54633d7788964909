// Compiles the addon for another platform. Zig links for Linux: it carries every C library, so that an
// addon needs no newer glibc than it is allowed to.
import { existsSync, mkdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { cache, platformName, targetDir } from './paths.mjs'
import { glibc, platforms } from './platforms.mjs'
import { ask, must } from './run.mjs'
import { loud, Stop, step } from './say.mjs'

/** Both are wheels of PyPI; the first runs cargo with the second as compiler and linker. */
const zig = { 'cargo-zigbuild': '0.24.0', ziglang: '0.17.1' }

const crate = ['--release', '--locked', '-p', 'seawall-node']

/** The library for the package of a platform. Throws where it cannot be made here. */
export function compile(name) {
  const { target, library, os } = platforms[name]
  const missing = lackingTarget(target)
  if (missing) throw new Stop(missing)
  const own = os === process.platform
  step(`${name} (cargo, release, ${own && os !== 'linux' ? 'its own system' : 'zig'})`)
  if (os !== 'linux') must('cargo', ['build', ...crate, '--target', target])
  else zigbuild(name, target)
  return join(targetDir, target, 'release', library)
}

function zigbuild(name, target) {
  const folder = zigFolder()
  if (folder === undefined) throw new Stop('pip could not install cargo-zigbuild and ziglang')
  const wanted = name.endsWith('-gnu') ? `${target}.${glibc}` : target
  const flags = `CARGO_TARGET_${target.toUpperCase().replaceAll('-', '_')}_RUSTFLAGS`
  must('cargo', ['zigbuild', ...crate, '--target', wanted], {
    env: {
      ...process.env,
      PATH: `${join(folder, 'bin')}${delimiter}${process.env.PATH}`,
      PYTHONPATH: folder,
      CARGO_ZIGBUILD_PYTHON_PATH: python(),
      // Rust's default for musl is a program of one piece, which an addon cannot be.
      ...(name.endsWith('-musl') && { [flags]: '-Ctarget-feature=-crt-static' }),
    },
  })
}

/** What keeps `name` from being linked here: `skipped`, or `checked` where it is compiled at least. */
export function compileOnce(name) {
  const { target, os } = platforms[name]
  const missing = lackingTarget(target)
  if (missing) return { skipped: missing }
  if (os === process.platform)
    return zigFolder() ? {} : { skipped: 'no zig: pip could not install it' }
  step(`${name} (cargo check)`)
  must('cargo', ['check', '--locked', '-p', 'seawall-node', '--target', target])
  return { checked: `its linker is not on ${platformName()}` }
}

/** Adds the standard library of a target where it lacks; what is wrong if it cannot be had. */
function lackingTarget(target) {
  const there = () =>
    existsSync(ask('rustc', ['--print', 'target-libdir', '--target', target]) ?? '')
  if (there()) return undefined
  step(`Rust target ${target} (rustup)`)
  ask('rustup', ['target', 'add', target], { timeout: 120_000 })
  return there() ? undefined : `rustup could not add ${target}`
}

let found
/** Where pip put zig; nothing where it could not. */
function zigFolder() {
  if (found !== undefined) return found
  const folder = join(cache, `zig-${Object.values(zig).join('-')}`)
  if (!existsSync(join(folder, 'ziglang'))) {
    if (python() === undefined) return undefined
    step('zig (pip, once)')
    mkdirSync(folder, { recursive: true })
    const wanted = Object.entries(zig).map(([what, version]) => `${what}==${version}`)
    const pip = ['-m', 'pip', 'install', '--quiet', '--no-deps', '--target', folder, ...wanted]
    if (ask(python(), pip, { timeout: 300_000 }) === undefined) {
      loud(`pip could not install ${wanted.join(' and ')}`)
      return undefined
    }
  }
  found = folder
  return found
}

function python() {
  return ['python3', 'python'].find(name => ask(name, ['-m', 'pip', '--version']) !== undefined)
}
