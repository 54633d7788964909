// The licences of what others wrote and our binaries contain: the crates that cargo links into each,
// with the texts that came with them, and Rust's standard library.
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { root } from './paths.mjs'
import { ask } from './run.mjs'
import { Stop } from './say.mjs'

export const NOTICES = 'THIRD-PARTY-NOTICES.txt'

/** Writes the notices of `crate`, built for `target`, into the folder of the package that holds it. */
export function writeNotices(folder, crate, target) {
  const path = join(folder, NOTICES)
  // Not those of another build, where these cannot be made.
  rmSync(path, { force: true })
  writeFileSync(path, notices(crate, target))
}

/** As `writeNotices` for the main package, whose crates are in its WASM. */
export function writeNoticesOfWasm() {
  writeNotices(join(root, 'npm'), 'seawall-wasm', 'wasm32-unknown-unknown')
}

function notices(crate, target) {
  const groups = new Map()
  for (const each of [...linked(crate, target).map(ofCrate), standardLibrary()]) {
    const names = groups.get(each.text) ?? []
    groups.set(each.text, [...names, each.name])
  }
  const parts = [...groups].map(([text, names]) => `${names.join('\n')}\n\n${text}\n`)
  const line = `${'-'.repeat(80)}\n`
  return `This package contains compiled code of the following projects.\n\n${line}${parts.join(`\n${line}`)}`
}

/** The crates in the binary but our own, as `cargo metadata` tells of them. */
function linked(crate, target) {
  const tree = cargo(['tree', '--locked', '--package', crate, '--target', target, ...flat])
  const metadata = cargo([
    'metadata',
    '--locked',
    '--format-version=1',
    '--filter-platform',
    target,
  ])
  const known = JSON.parse(metadata).packages
  // `name v1.2.3`, then perhaps a folder, or that it stood there before.
  const rows = tree.split('\n').map(row => row.split(' ', 2).join(' '))
  return [...new Set(rows)].sort().flatMap(row => {
    const [name, version] = row.split(' ')
    const found = known.find(each => each.name === name && `v${each.version}` === version)
    if (found === undefined) throw new Stop(`cargo tree knows ${row}, cargo metadata does not`)
    return found.source === null ? [] : [found]
  })
}

const flat = ['--edges', 'normal,no-proc-macro', '--prefix', 'none', '--format', '{p}']

function cargo(args) {
  const answer = ask('cargo', args, { maxBuffer: 2 ** 28 })
  if (answer === undefined) throw new Stop(`failed: cargo ${args.join(' ')}`)
  return answer
}

function ofCrate({ name, version, license, authors, repository, manifest_path }) {
  const folder = dirname(manifest_path)
  const title = [`${name} ${version} (${license})`, repository].filter(Boolean).join(', ')
  const files = readdirSync(folder)
    .filter(file => /^(licen[cs]e|copying|copyright|notice|unlicense)/i.test(file))
    .sort()
  // Where we may choose, MIT, which asks for nothing but this.
  const choice = license.split(/\s*\/\s*|\s+OR\s+/)
  const mayBeMit = choice.includes('MIT')
  const chosen = mayBeMit ? files.filter(file => /mit/i.test(file)) : []
  const texts = (chosen.length > 0 ? chosen : files).map(file => text(join(folder, file)))
  if (texts.length > 0) return { name: title, text: texts.join('\n\n') }
  if (!mayBeMit) throw new Stop(`${title} brings no text of its licence`)
  return { name: title, text: mit(authors.join(', ') || `the authors of ${name}`) }
}

const text = path => readFileSync(path, 'utf8').replaceAll('\r\n', '\n').trim()

function standardLibrary() {
  const version = ask('rustc', ['--version'])?.split(' ')[1] ?? ''
  const name = `The standard library of Rust ${version} (MIT OR Apache-2.0), https://github.com/rust-lang/rust`
  return { name, text: mit('The Rust Project Contributors') }
}

/** The text of the licence, as our own has it. */
function mit(holders) {
  const [title, , ...rest] = text(join(root, 'LICENSE')).split('\n\n')
  return [title, `Copyright (c) ${holders}`, ...rest].join('\n\n')
}
