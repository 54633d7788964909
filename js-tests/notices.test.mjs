// Whose code the packed packages contain, and under which licence.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { NOTICES, ofCrate } from '../npm/scripts/notices.mjs'
import { ofRust } from '../npm/scripts/notices-rust.mjs'
import { platformName, root } from '../npm/scripts/paths.mjs'

const packed = (...path) => join(root, 'js-tests/node_modules', ...path)
const read = name => readFileSync(packed(name, NOTICES), 'utf8')
const addon = `seawall-${platformName()}`

/** The crates that notices name, as `name 1.2.3`. */
const crates = text => new Set(text.match(/^[a-z][\w-]* \d+\.\d+\.\d+\S*(?= \(.+\), http)/gm))
const names = text => [...crates(text)].map(crate => crate.split(' ')[0])

test('each package names the crates in it, and no others', () => {
  const [inAddon, inWasm] = [names(read(addon)), names(read('seawall'))]
  for (const name of ['tokio', 'napi', 'rand', 'sysinfo']) assert.ok(inAddon.includes(name), name)
  for (const name of ['wasm-bindgen', 'rand']) assert.ok(inWasm.includes(name), name)
  for (const name of ['tokio', 'napi', 'sysinfo']) assert.ok(!inWasm.includes(name), name)
  // What only builds or tests it, and what is ours.
  for (const name of ['wasm-bindgen', 'syn', 'proptest', 'napi-build', 'seawall', 'seawall-node']) {
    assert.ok(!inAddon.includes(name), name)
  }
})

test('at the versions that are locked', () => {
  const lock = readFileSync(join(root, 'Cargo.lock'), 'utf8')
  for (const crate of [...crates(read(addon)), ...crates(read('seawall'))]) {
    const [name, version] = crate.split(' ')
    assert.ok(lock.includes(`name = "${name}"\nversion = "${version}"\n`), crate)
  }
})

test('no crate whose code is in the addon is left out', () => {
  const binary = readFileSync(packed(addon, 'seawall.node'), 'latin1')
  const paths = binary.matchAll(
    /registry[/\\]src[/\\][^/\\]+[/\\]([a-z][\w-]*?)-(\d+\.\d+\.\d+)[/\\]/g,
  )
  const found = new Set([...paths].map(([, name, version]) => `${name} ${version}`))
  assert.ok(found.size > 5, `the addon names ${[...found]}`)
  const named = crates(read(addon))
  for (const crate of found) assert.ok(named.has(crate), crate)
  // Those that came with Rust's standard library.
  const ours = read(addon)
  for (const [, name] of binary.matchAll(/rust[/\\]deps[/\\]([a-z][\w-]*?)-\d+\.\d+\.\d+[/\\]/g)) {
    assert.ok(ours.includes(`  ${name} `), name)
  }
})

test('what a linker added is named where it did', () => {
  const parts = binary => ofRust(binary).map(({ name }) => name)
  assert.match(
    parts(Buffer.from('libunwind: %s - %s')).at(-1),
    /^libunwind of LLVM \(Apache-2\.0 WITH/,
  )
  assert.ok(!parts(Buffer.from('backtrace/libunwind.rs')).some(name => /LLVM/.test(name)))
  assert.ok(!parts().some(name => /LLVM/.test(name)))
})

test('each with the text of a licence and its holders, and Rust itself', () => {
  for (const text of [read(addon), read('seawall')]) {
    assert.match(text, /^The standard library of Rust \d+\.\d+\.\d+/m)
    const parts = text.split(/^-{80}\n/m).slice(1)
    assert.ok(parts.length > 3)
    for (const part of parts) {
      assert.match(part, /^\s*copyright (\(c\)|©|\d)|^Authors: .|names holders or authors\.$/im)
      assert.match(
        part,
        /Permission (is hereby granted|to use, copy, modify)|Apache-2\.0 WITH LLVM-exception/,
      )
    }
    for (const holder of ['Crossbeam', 'Alex Crichton', 'Unicode, Inc.', "Amanieu d'Antras"]) {
      assert.ok(text.includes(holder), holder)
    }
    assert.ok(!text.includes(root), 'a path of this machine')
  }
})

test('whose work a crate is: by its licence, else by its manifest, else it says that nobody is named', t => {
  const folder = mkdtempSync(join(tmpdir(), 'seawall-notices-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const crate = { name: 'some', version: '1.2.3', license: 'MIT', authors: ['Ada'] }
  const of = more => ofCrate({ ...crate, manifest_path: join(folder, 'Cargo.toml'), ...more })
  // A folder of that name is no text.
  mkdirSync(join(folder, 'LICENSES'))
  assert.match(of().text, /^Copyright \(c\) Ada$/m)
  assert.throws(() => of({ license: null }), /^Error: some 1\.2\.3 \(see below\) brings no text/)
  const file = join(folder, 'LICENSE')
  writeFileSync(file, 'The above copyright notice shall be included')
  assert.equal(of().text, 'Authors: Ada\n\nThe above copyright notice shall be included')
  assert.match(of({ authors: [] }).text, /^Neither .* names holders or authors\.\n\nThe above/)
  assert.match(of({ license: null }).name, /^some 1\.2\.3 \(see below\)$/)
  writeFileSync(file, 'Copyright 2020 Bob\n\nThe above copyright notice shall be included')
  assert.ok(!of().text.includes('Ada'))
})
