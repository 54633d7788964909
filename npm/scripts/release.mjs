// What a release does after everything is built, in CI alone:
//   node npm/scripts/release.mjs versions v1.2.3    one version everywhere, and that of the tag?
//   node npm/scripts/release.mjs pack <folder>      checks what was built, packs it as it is published
//   node npm/scripts/release.mjs rehearse <folder>  as `publish`, but nothing is published
//   node npm/scripts/release.mjs publish <folder>   platforms first, so that nobody gets half
import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { mismatch, rehearsed } from './binary.mjs'
import { NOTICES } from './notices.mjs'
import { archive } from './pack.mjs'
import { dist, root, wasmParts } from './paths.mjs'
import {
  folderOf,
  glibc,
  platforms,
  publishedManifest,
  writePlatform,
  writePublished,
} from './platforms.mjs'
import { ask, must } from './run.mjs'
import { main, note, Stop, step } from './say.mjs'

/** What keeps the sources from being released as `tag`, or at all where there is none yet. */
function versionProblems(tag) {
  const found = []
  const { version, repository } = publishedManifest()
  const crate = /\[workspace\.package\]\s+version = "([^"]+)"/.exec(text('Cargo.toml'))?.[1]
  if (crate !== version) found.push(`the crate is ${crate}, the package is ${version}`)
  if (!repository) {
    found.push('npm/package.json names no `repository`: npm takes no provenance without one')
  }
  if (tag === undefined) return found
  if (tag !== `v${version}`) found.push(`the tag is ${tag}, the version is ${version}`)
  const heading = text('CHANGELOG.md')
    .split('\n')
    .find(line => line.startsWith('## ') && line.slice(3).split(/[\s,]/, 1)[0] === version)
  if (heading === undefined || heading.includes('not published')) {
    found.push(`CHANGELOG.md does not say what is new in ${version}, or that it is published`)
  }
  return found
}

/** What keeps what was built from being published; `folders` says where the package of a platform is. */
export function buildProblems(folders = folderOf) {
  const found = []
  const parts = Object.keys(wasmParts).map(part => `${part}.wasm`)
  for (const file of [...parts, 'index.js', 'index.d.ts', 'node/shared.js']) {
    if (!existsSync(join(dist, file))) found.push(`npm/dist/${file} is missing`)
  }
  for (const [name, platform] of Object.entries(platforms)) {
    const addon = join(folders(name), 'seawall.node')
    const wrong = existsSync(addon)
      ? (mismatch(addon, platform, glibc) ?? rehearsed(addon))
      : 'it is missing'
    if (wrong !== undefined) found.push(`the addon for ${name}: ${wrong}`)
    else if (!existsSync(join(folders(name), NOTICES))) {
      found.push(`the addon for ${name}: ${NOTICES} is missing beside it`)
    }
  }
  return found
}

const text = path => readFileSync(join(root, path), 'utf8')

function refuse(found) {
  if (found.length > 0) throw new Stop(`not to be released:\n  ${found.join('\n  ')}`)
}

/** The packages in the order in which they are published, and their archives in `folder`. */
function archives(folder) {
  const { name, version } = publishedManifest()
  return [...Object.keys(platforms).map(key => `${name}-${key}`), name].map(each => ({
    name: each,
    version,
    file: resolve(folder, `${each}-${version}.tgz`),
  }))
}

/**
 * Whether the registry has it already: a release that broke down half way is run again.
 *
 * @throws where what it has is another archive, so that what is left would not belong to it
 */
function isPublished({ name, version, file }) {
  const known = ask('npm', ['view', `${name}@${version}`, 'dist.integrity'])
  if (!known) return false
  const ours = `sha512-${createHash('sha512').update(readFileSync(file)).digest('base64')}`
  if (known !== ours) {
    throw new Stop(
      `${name} ${version} is published, and is not what was built here: run only the jobs again` +
        ' that failed, or release another version',
    )
  }
  note(`${name} ${version} is there already`)
  return true
}

function publish(folder, flags) {
  const list = archives(folder)
  const missing = list.filter(({ file }) => !existsSync(file)).map(({ file }) => file)
  if (missing.length > 0) throw new Stop(`pack first: there is no ${missing.join(', ')}`)
  // All are looked at before the first is published.
  for (const { name, version, file } of list.filter(each => !isPublished(each))) {
    step(`${name} ${version}`)
    // What is not yet a release must not become what people get.
    const tag = version.includes('-') ? ['--tag', 'next'] : []
    must('npm', ['publish', file, '--access', 'public', ...tag, ...flags])
  }
}

const acts = {
  versions(tag) {
    refuse(versionProblems(tag))
    note(`${tag ?? publishedManifest().version}: one version everywhere`)
  },

  pack(folder) {
    refuse(buildProblems())
    writePublished()
    mkdirSync(folder, { recursive: true })
    const temporary = mkdtempSync(join(tmpdir(), 'seawall-release-'))
    try {
      for (const key of Object.keys(platforms)) keep(writePlatform(key), folder, temporary)
      keep(join(root, 'npm'), folder, temporary)
    } finally {
      rmSync(temporary, { recursive: true, force: true })
    }
  },

  rehearse: folder => publish(folder, ['--dry-run']),

  publish: folder => publish(folder, ['--provenance']),
}

function keep(from, folder, temporary) {
  const { name } = JSON.parse(readFileSync(join(from, 'package.json'), 'utf8'))
  const { out, tarball } = archive(from, name, temporary)
  cpSync(join(out, tarball), join(folder, tarball))
  note(tarball)
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main(() => {
    const [act, ...args] = process.argv.slice(2)
    if (!(act in acts)) throw new Stop(`what? ${Object.keys(acts).join(', ')}`)
    if (act !== 'versions' && args.length !== 1) throw new Stop(`${act} which folder?`)
    return acts[act](...args)
  })
}
