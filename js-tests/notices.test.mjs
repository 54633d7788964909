// Whose code the packed packages contain, and under which licence.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { NOTICES } from '../npm/scripts/notices.mjs'
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
})

test('each with the text of a licence and its holders, and Rust itself', () => {
  for (const text of [read(addon), read('seawall')]) {
    assert.match(text, /^The standard library of Rust \d+\.\d+\.\d+/m)
    const parts = text.split(/^-{80}\n/m).slice(1)
    assert.ok(parts.length > 3)
    for (const part of parts) {
      assert.match(part, /Copyright|public domain/i)
      assert.match(part, /Permission (is hereby granted|to use, copy, modify)/)
    }
    assert.ok(!text.includes(root), 'a path of this machine')
  }
})
