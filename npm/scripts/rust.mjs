// The Rust toolchain: present at all, and able to build for WASM.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { ask, must } from './run.mjs'
import { loud, note, Stop, step } from './say.mjs'

const triple = 'wasm32-unknown-unknown'
const debianPackages = ['rustc-web', 'rust-web-src', 'libstd-rust-web-dev']

/** Throws where there is no cargo or no linker to go with it. */
export function requireRust() {
  if (ask('cargo', ['--version']) === undefined) {
    throw new Stop('Rust is missing: install it from https://rustup.rs and run this again')
  }
  const linker = process.platform === 'win32' ? undefined : 'cc'
  if (linker && ask(linker, ['--version']) === undefined) {
    throw new Stop(
      `a C compiler is missing (\`${linker}\`), Rust links with it.` +
        ' On Debian and Ubuntu: apt-get install build-essential',
    )
  }
}

/**
 * How cargo builds for WASM here: the target of the toolchain, added by rustup where it lacks;
 * where rustup cannot get it, the standard library is built from the sources that Debian packages.
 */
export function wasmToolchain() {
  if (hasTarget()) return { args: [], env: {} }
  step(`Rust target ${triple} (rustup)`)
  if (ask('rustup', ['target', 'add', triple], { timeout: 180_000 }) !== undefined && hasTarget()) {
    return { args: [], env: {} }
  }
  loud(`rustup could not add ${triple}`)
  const found = debianToolchain() ?? installDebian()
  note(`using ${found.what}, which builds its standard library once`)
  return found
}

function hasTarget() {
  const directory = ask('rustc', ['--print', 'target-libdir', '--target', triple])
  return directory !== undefined && existsSync(directory)
}

/** Debian's compiler knows the target and comes with the sources of its standard library. */
function debianToolchain() {
  const rustc = process.env.SEAWALL_WASM_RUSTC ?? '/usr/bin/rustc'
  const sysroot = ask(rustc, ['--print', 'sysroot'])
  if (sysroot === undefined) return undefined
  if (!existsSync(join(sysroot, 'lib/rustlib/src/rust/library/std/Cargo.toml'))) return undefined
  const linker = findLinker()
  if (linker === undefined) return undefined
  return {
    what: `${ask(rustc, ['--version'])} (${rustc})`,
    args: ['-Zbuild-std=std,panic_abort'],
    env: {
      RUSTC: rustc,
      RUSTC_BOOTSTRAP: '1',
      CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER: linker,
    },
  }
}

/** The linker of the rustup toolchain, or one on the path. */
function findLinker() {
  const host = /^host: (.+)$/m.exec(ask('rustc', ['-vV']) ?? '')?.[1] ?? ''
  const own = join(ask('rustc', ['--print', 'sysroot']) ?? '', 'lib/rustlib', host, 'bin/rust-lld')
  if (existsSync(own)) return own
  return ['rust-lld', 'wasm-ld'].find(name => ask(name, ['--version']) !== undefined)
}

function installDebian() {
  const command = `apt-get install -y --no-remove --no-install-recommends ${debianPackages.join(' ')}`
  const byHand = `add the target by hand (rustup target add ${triple}), or on Debian: ${command}`
  if (ask('apt-get', ['--version']) === undefined) throw new Stop(byHand)
  const root = process.getuid?.() === 0
  if (!root && ask('sudo', ['-n', 'true']) === undefined) throw new Stop(byHand)
  step(`Debian's Rust for WASM (${debianPackages.join(', ')})`)
  const words = ['apt-get', ...command.split(' ').slice(1)]
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const [program, ...rest] = root ? words : ['sudo', '-n', ...words]
  must(program, rest, { env })
  const found = debianToolchain()
  if (found === undefined) throw new Stop(byHand)
  return found
}
