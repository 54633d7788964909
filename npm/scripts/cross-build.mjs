// Compiles the addon for another platform. Zig links for Linux: it carries every C library, so that an
// addon needs no newer glibc than it is allowed to. It carries that of Windows as well, one of two: what
// is published is linked there with the other, and this one is only tried.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { cache, platformName, targetDir } from './paths.mjs'
import { glibc, platforms } from './platforms.mjs'
import { ask, must } from './run.mjs'
import { loud, Stop, step } from './say.mjs'
import { install, python } from './wheels.mjs'

/**
 * Both are wheels of PyPI; the first runs cargo with the second as compiler and linker. What they make
 * is published, so they are taken as they were when these versions were chosen, for x64 and arm64.
 */
const wheels = {
  'cargo-zigbuild==0.24.0': [
    '484412e39e4c6039474535ce97ee75a22bab22d58233056f8ec8a8f9034bb957',
    '6942e4320f7b05d8fb29e0a8ce5670bcbb3d254275100b85b5b7c86552f9a744',
  ],
  'ziglang==0.17.1': [
    'ea6cc5d87b033cf0aedfbc8f9549a908cae6c50ac31f1698188fa48a74524b54',
    'b7c5f02fccd40f89b999ee16a1f5ddced56e6182370f8affe494bcf8a28cf07e',
  ],
}

const crate = ['--release', '--locked', '-p', 'seawall-node']

/** What Windows has everywhere; without it the addon would ask for a runtime of the compiler's. */
const whole = {
  CARGO_TARGET_X86_64_PC_WINDOWS_MSVC_RUSTFLAGS: '-Ctarget-feature=+crt-static',
}

/** The library for the package of a platform, as it is published. Throws where it cannot be made here. */
export function compile(name) {
  const { target, library, os } = platforms[name]
  demandTarget(target)
  const own = os === process.platform
  step(`${name} (cargo, release, ${own && os !== 'linux' ? 'its own system' : 'zig'})`)
  if (os === 'linux') zigbuild([name])
  else must('cargo', ['build', ...crate, '--target', target], { env: { ...process.env, ...whole } })
  return join(targetDir, target, 'release', library)
}

/**
 * The library of the target that stands in for the one of its own system: the same code, optimised
 * little, since nobody but the tests will run it.
 */
export function rehearse(name) {
  const { rehearsal, library } = platforms[name]
  demandTarget(rehearsal)
  step(`${name} (cargo, as ${rehearsal}, zig)`)
  zig(['--target', rehearsal], {
    LIBNODE_PATH: noLibnode(),
    CARGO_PROFILE_RELEASE_LTO: 'off',
    CARGO_PROFILE_RELEASE_OPT_LEVEL: '1',
    CARGO_PROFILE_RELEASE_CODEGEN_UNITS: '16',
  })
  return join(targetDir, rehearsal, 'release', library)
}

/**
 * A folder with a library of Node in which nothing is. Addons find Node's functions when they are
 * loaded; the build script of `napi` wants one for this target all the same.
 */
function noLibnode() {
  const folder = join(targetDir, 'libnode')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'libnode.dll'), '')
  writeFileSync(join(folder, 'libnode.a'), '!<arch>\n')
  return folder
}

/**
 * Compiles ahead what `compile` will be asked for, as far as that can be done in one go: the end of
 * each, where all of it is optimised together, occupies one processor.
 */
export function compileTogether(names) {
  const linux = names.filter(
    name => platforms[name].os === 'linux' && platforms[name].os === process.platform,
  )
  if (linux.length < 2 || linux.some(name => lackingTarget(platforms[name].target))) return
  if (zigFolder() === undefined) return
  step(`${linux.join(', ')} (cargo, release, zig)`)
  zigbuild(linux)
}

function zigbuild(names) {
  const targets = names.flatMap(name => {
    const { target } = platforms[name]
    return ['--target', name.endsWith('-gnu') ? `${target}.${glibc}` : target]
  })
  // Rust's default for musl is a program of one piece, which an addon cannot be.
  const flags = names
    .filter(name => name.endsWith('-musl'))
    .map(name => platforms[name].target.toUpperCase().replaceAll('-', '_'))
    .map(target => [`CARGO_TARGET_${target}_RUSTFLAGS`, '-Ctarget-feature=-crt-static'])
  zig(targets, Object.fromEntries(flags))
}

function zig(args, env) {
  const folder = zigFolder()
  if (folder === undefined) throw new Stop('pip could not install cargo-zigbuild and ziglang')
  must('cargo', ['zigbuild', ...crate, ...args], {
    env: {
      ...process.env,
      PATH: `${join(folder, 'bin')}${delimiter}${process.env.PATH}`,
      PYTHONPATH: folder,
      CARGO_ZIGBUILD_PYTHON_PATH: python(),
      ...env,
    },
  })
}

/** Makes a library of a file of C, for a target as zig names it; nothing where that fails. */
export function libraryOfC(source, target, out, ...flags) {
  const folder = zigFolder()
  if (folder === undefined) return undefined
  const args = ['cc', '-target', target, '-shared', '-O2', '-s', source, ...flags, '-o', out]
  return ask(join(folder, 'ziglang/zig'), args) === undefined ? undefined : out
}

/**
 * How the addon of `name` is made here: `compile` or `rehearse`, with the target it was checked for
 * besides; `skipped` where it is not made, or `checked` where it is compiled at least.
 */
export function compileOnce(name) {
  const { target, os, rehearsal } = platforms[name]
  const linux = process.platform === 'linux'
  const make = os === process.platform ? compile : linux && rehearsal ? rehearse : undefined
  const missing = lackingTarget(make === rehearse ? rehearsal : target)
  if (missing) return { skipped: missing }
  if (make && linux && !zigFolder()) return { skipped: 'no zig: pip could not install it' }
  if (make === rehearse) return { make, also: alsoChecked(name) }
  if (make) return { make }
  check(name)
  return { checked: `its linker is not on ${platformName()}` }
}

/** What is published has code that its rehearsal has not. */
function alsoChecked(name) {
  const { target } = platforms[name]
  const missing = lackingTarget(target)
  if (missing) {
    loud(`${name} is not checked as it is published: ${missing}`)
    return undefined
  }
  check(name)
  return target
}

function check(name) {
  const { target } = platforms[name]
  step(`${name} (cargo check, ${target})`)
  must('cargo', ['check', '--locked', '-p', 'seawall-node', '--target', target])
}

function demandTarget(target) {
  const missing = lackingTarget(target)
  if (missing) throw new Stop(missing)
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
  const versions = Object.keys(wheels).map(wheel => wheel.split('==')[1])
  const folder = join(cache, `zig-${versions.join('-')}`)
  if (!existsSync(join(folder, 'ziglang'))) {
    step('zig (pip, once)')
    mkdirSync(folder, { recursive: true })
    if (!install(wheels, folder)) {
      loud(`pip could not install ${Object.keys(wheels).join(' and ')}`)
      return undefined
    }
  }
  found = folder
  return found
}
