// A release as its workflow makes it, with a registry that is a file: the order, what happens after
// half of it, and what is refused.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, delimiter, join } from 'node:path'
import { after, beforeEach, test } from 'node:test'
import { root } from '../npm/scripts/paths.mjs'
import { platforms, publishedManifest } from '../npm/scripts/platforms.mjs'

const skip = process.platform === 'win32' && 'a program in place of npm is a script there'
const folder = mkdtempSync(join(tmpdir(), 'seawall-release-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const { version } = publishedManifest()
const names = [...Object.keys(platforms).map(name => `seawall-${name}`), 'seawall']
const registry = join(folder, 'registry.json')
const packages = join(folder, 'packages')
const archiveOf = name => join(packages, `${name}-${version}.tgz`)
const integrity = bytes => `sha512-${createHash('sha512').update(bytes).digest('base64')}`

/** In place of npm: the registry maps `name@version` to an integrity, and `refused` is not taken. */
const NPM = `#!${process.execPath}
const { readFileSync, writeFileSync } = require('node:fs')
const { createHash } = require('node:crypto')
const { basename } = require('node:path')
const state = JSON.parse(readFileSync(${JSON.stringify(registry)}, 'utf8'))
const [verb, what, ...flags] = process.argv.slice(2)
if (verb === 'view') {
  if (!(what in state.known)) process.exit(1)
  console.log(state.known[what])
} else {
  const name = basename(what, '-${version}.tgz')
  if (name === state.refused) process.exit(1)
  state.asked.push([name, ...flags])
  if (!flags.includes('--dry-run')) {
    state.known[name + '@${version}'] =
      'sha512-' + createHash('sha512').update(readFileSync(what)).digest('base64')
  }
  writeFileSync(${JSON.stringify(registry)}, JSON.stringify(state))
}
`

beforeEach(() => {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(join(folder, 'bin'), { recursive: true })
  mkdirSync(packages)
  writeFileSync(join(folder, 'bin/npm'), NPM)
  chmodSync(join(folder, 'bin/npm'), 0o755)
  for (const name of names) writeFileSync(archiveOf(name), `the archive of ${name}`)
  set({ known: {}, asked: [] })
})

const set = state => writeFileSync(registry, JSON.stringify(state))
const get = () => JSON.parse(readFileSync(registry, 'utf8'))

function release(...args) {
  const script = join(root, 'npm/scripts/release.mjs')
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], {
    encoding: 'utf8',
    env: { ...process.env, PATH: `${join(folder, 'bin')}${delimiter}${process.env.PATH}` },
  })
  return { ok: status === 0, output: stdout + stderr }
}

test('platforms are published before what asks for them, with provenance', { skip }, () => {
  const { ok, output } = release('publish', packages)
  assert.ok(ok, output)
  const expected = names.map(name => [name, '--access', 'public', '--provenance'])
  assert.deepEqual(get().asked, expected)
})

test('a rehearsal publishes nothing', { skip }, () => {
  const { ok, output } = release('rehearse', packages)
  assert.ok(ok, output)
  const { asked, known } = get()
  assert.deepEqual(
    asked.map(([name]) => name),
    names,
  )
  assert.ok(asked.every(flags => flags.includes('--dry-run') && !flags.includes('--provenance')))
  assert.deepEqual(known, {})
})

test('a release that broke down half way is finished by running it again', { skip }, () => {
  set({ ...get(), refused: names[2] })
  assert.equal(release('publish', packages).ok, false)
  const half = get()
  assert.deepEqual(
    half.asked.map(([name]) => name),
    names.slice(0, 2),
  )
  set({ known: half.known, asked: [] })
  const { ok, output } = release('publish', packages)
  assert.ok(ok, output)
  assert.match(output, new RegExp(`${names[0]} ${version} is there already`))
  assert.deepEqual(
    get().asked.map(([name]) => name),
    names.slice(2),
  )
})

test('what is published already and is another archive stops all of it', { skip }, () => {
  const last = `${names.at(-1)}@${version}`
  set({ known: { [last]: integrity('something else') }, asked: [] })
  const { ok, output } = release('publish', packages)
  assert.equal(ok, false)
  assert.match(output, /seawall .* is published, and is not what was built here/)
  assert.deepEqual(get().asked, [])
})

test('an archive that is missing stops all of it', { skip }, () => {
  rmSync(archiveOf(names[1]))
  const { ok, output } = release('publish', packages)
  assert.equal(ok, false)
  assert.ok(output.includes(basename(archiveOf(names[1]))), output)
  assert.deepEqual(get().asked, [])
})

test('a tag of another version is refused, with both versions', () => {
  const { ok, output } = release('versions', 'v99.0.0')
  assert.equal(ok, false)
  assert.match(output, new RegExp(`the tag is v99.0.0, the version is ${version}`))
  assert.match(output, /CHANGELOG.md does not say/)
})
