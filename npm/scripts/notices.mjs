// The licences of what others wrote and our binaries contain: the crates that cargo links into each,
// with the texts that came with them, and Rust's standard library.
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { mit, text } from './licences.mjs'
import { ofRust } from './notices-rust.mjs'
import { root } from './paths.mjs'
import { ask } from './run.mjs'
import { Stop } from './say.mjs'

export const NOTICES = 'THIRD-PARTY-NOTICES.txt'

/**
 * Writes the notices of `crate`, built for `target`, into the folder of the package that holds it; of an
 * addon with what its file shows that the linker added.
 */
export function writeNotices(folder, crate, target, addon) {
  const path = join(folder, NOTICES)
  // Not those of another build, where these cannot be made.
  rmSync(path, { force: true })
  const binary = addon === undefined ? undefined : readFileSync(addon)
  writeFileSync(path, notices(crate, target, binary))
}

/** As `writeNotices` for the main package, whose crates are in its WASM. */
export function writeNoticesOfWasm() {
  writeNotices(join(root, 'npm'), 'seawall-wasm', 'wasm32-unknown-unknown')
}

function notices(crate, target, binary) {
  const groups = new Map()
  for (const each of [...linked(crate, target).map(ofCrate), ...ofRust(binary)]) {
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

/** One of them, as `cargo metadata` describes it: its name, and the text of its licence with its holders. */
export function ofCrate({ name, version, license, authors, repository, manifest_path }) {
  const folder = dirname(manifest_path)
  const licence = license ?? ''
  const title = [`${name} ${version} (${licence || 'see below'})`, repository]
  const files = readdirSync(folder, { withFileTypes: true })
    .filter(file => file.isFile())
    .map(file => file.name)
    .filter(file => /^(licen[cs]e|copying|copyright|notice|unlicense)/i.test(file))
    .sort()
  // Where we may choose, MIT, which asks for nothing but this.
  const choice = licence.split(/\s*\/\s*|\s+OR\s+/)
  const mayBeMit = choice.includes('MIT')
  const chosen = mayBeMit ? files.filter(file => /mit/i.test(file)) : []
  const texts = (chosen.length > 0 ? chosen : files).map(file => text(join(folder, file)))
  const whole = { name: title.filter(Boolean).join(', '), text: texts.join('\n\n') }
  if (texts.length > 0) return { ...whole, text: withHolders(whole.text, authors) }
  if (!mayBeMit) throw new Stop(`${whole.name} brings no text of its licence`)
  return { ...whole, text: mit(authors.join(', ') || `the authors of ${name}`) }
}

/** Not every text of a licence says whose work it is: then the manifest does, or nobody. */
function withHolders(text, authors) {
  if (/^\s*copyright (\(c\)|©|\d)/im.test(text)) return text
  const line = authors.length > 0 ? `Authors: ${authors.join(', ')}` : nobody
  return `${line}\n\n${text}`
}

const nobody = 'Neither its licence nor its manifest names holders or authors.'
