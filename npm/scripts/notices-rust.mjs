// What compilers put into our binaries: Rust's standard library with the crates in it, and what unwinds
// the stack where the linker brings that along. No cargo tells of them.
import { mit, unicode } from './licences.mjs'
import { ask } from './run.mjs'

/** Crates in the standard library and their homes, whose licences let us choose MIT. */
const inside = {
  addr2line: 'https://github.com/gimli-rs/addr2line',
  adler2: 'https://github.com/oyvindln/adler2',
  backtrace: 'https://github.com/rust-lang/backtrace-rs',
  compiler_builtins: 'https://github.com/rust-lang/compiler-builtins',
  crossbeam: 'https://github.com/crossbeam-rs/crossbeam',
  dlmalloc: 'https://github.com/alexcrichton/dlmalloc-rs',
  gimli: 'https://github.com/gimli-rs/gimli',
  hashbrown: 'https://github.com/rust-lang/hashbrown',
  miniz_oxide: 'https://github.com/Frommi/miniz_oxide',
  'rustc-demangle': 'https://github.com/rust-lang/rustc-demangle',
}

/** Those who are named in the licence files of all these, or in their manifests. */
const holders = [
  'The Rust Project Contributors',
  '2014 Alex Crichton',
  '2015 The Rust Project Developers',
  "2016 Amanieu d'Antras",
  '2016-2018 The gimli Developers',
  'Jonas Schievink, oyvindln',
  '2010-2014 Rich Geldreich and Tenacious Software LLC',
  '2013-2014 RAD Game Tools and Valve Software',
  '2017 Frommi',
  '2019 The Crossbeam Project Developers',
  '2009-2016 by the contributors listed in CREDITS.TXT of compiler-rt',
]

/** The parts of the notices for what is in `binary`, the bytes of an addon; without one, of the WASM. */
export function ofRust(binary = Buffer.alloc(0)) {
  const bytes = binary.toString('latin1')
  const parts = [standardLibrary(bytes), tables()]
  // What it says of itself when it gives up.
  if (bytes.includes('libunwind: %s')) parts.push(unwinder())
  return parts
}

function standardLibrary(bytes) {
  const version = ask('rustc', ['--version'])?.split(' ')[1] ?? ''
  const found = Object.fromEntries(
    Array.from(bytes.matchAll(/rust[/\\]deps[/\\]([a-z][\w-]*?)-(\d+\.\d+\.\d+)[/\\]/g), each =>
      each.slice(1),
    ),
  )
  const rows = Object.entries(inside).map(
    ([name, home]) => `  ${[name, found[name]].filter(Boolean).join(' ')} (MIT), ${home}`,
  )
  const name = [
    `The standard library of Rust ${version} (MIT OR Apache-2.0), https://github.com/rust-lang/rust`,
    'with, as far as it is used here:',
    ...rows,
  ].join('\n')
  return { name, text: mit(...holders) }
}

function tables() {
  const name = 'The tables of Unicode in the standard library of Rust (Unicode-3.0)'
  return { name, text: unicode() }
}

function unwinder() {
  const name = 'libunwind of LLVM (Apache-2.0 WITH LLVM-exception), https://llvm.org/LICENSE.txt'
  return { name, text: 'Authors: the contributors to LLVM' }
}
