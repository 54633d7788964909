// What a release does after everything is built and tested, in CI alone:
//   node npm/scripts/release.mjs check v1.2.3   is everything there, and what it is taken for?
//   node npm/scripts/release.mjs prepare        writes what is published and not in the sources
//   node npm/scripts/release.mjs publish        platforms first, so that nobody gets half
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { mismatch } from './binary.mjs'
import { dist, root, wasmParts } from './paths.mjs'
import { folderOf, glibc, platforms, publishedManifest, writePlatform } from './platforms.mjs'
import { ask, must } from './run.mjs'
import { main, note, Stop, step } from './say.mjs'

/** What keeps this checkout from being released as `tag`. */
export function problems(tag) {
  const found = []
  const { version } = publishedManifest()
  if (tag !== `v${version}`) found.push(`the tag is ${tag}, the version is ${version}`)
  const crate = /\[workspace\.package\]\s+version = "([^"]+)"/.exec(
    readFileSync(join(root, 'Cargo.toml'), 'utf8'),
  )?.[1]
  if (!publishedManifest().repository) {
    found.push('npm/package.json names no `repository`: npm takes no provenance without one')
  }
  if (crate !== version) found.push(`the crate is ${crate}, the package is ${version}`)
  const parts = Object.keys(wasmParts).map(part => `${part}.wasm`)
  for (const file of [...parts, 'index.js', 'index.d.ts', 'node/shared.js']) {
    if (!existsSync(join(dist, file))) found.push(`npm/dist/${file} is missing`)
  }
  for (const [name, platform] of Object.entries(platforms)) {
    const addon = join(folderOf(name), 'seawall.node')
    const wrong = existsSync(addon) ? mismatch(addon, platform, glibc) : 'it is missing'
    if (wrong !== undefined) found.push(`the addon for ${name}: ${wrong}`)
  }
  return found
}

const acts = {
  check(tag) {
    const found = problems(tag)
    if (found.length > 0) throw new Stop(`not to be released:\n  ${found.join('\n  ')}`)
    note(`${tag}: everything is there`)
  },

  prepare() {
    for (const name of Object.keys(platforms)) writePlatform(name)
    const text = `${JSON.stringify(publishedManifest(), null, 2)}\n`
    writeFileSync(join(root, 'npm/package.json'), text)
  },

  publish() {
    const {
      name,
      version,
      optionalDependencies = {},
    } = JSON.parse(readFileSync(join(root, 'npm/package.json'), 'utf8'))
    const missing = Object.keys(platforms).filter(
      key => !(`seawall-${key}` in optionalDependencies),
    )
    if (missing.length > 0) throw new Stop('prepare first: the platforms are no dependencies yet')
    const folders = Object.keys(platforms).map(key => [`seawall-${key}`, folderOf(key)])
    for (const [each, folder] of [...folders, [name, join(root, 'npm')]]) {
      // A release that broke down half way is run again.
      if (ask('npm', ['view', `${each}@${version}`, 'version']) === version) {
        note(`${each} ${version} is there already`)
        continue
      }
      step(`${each} ${version}`)
      // What is not yet a release must not become what people get.
      const tag = version.includes('-') ? ['--tag', 'next'] : []
      must('npm', ['publish', '--provenance', '--access', 'public', ...tag], { cwd: folder })
    }
  },
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main(() => {
    const [act, ...args] = process.argv.slice(2)
    if (!(act in acts)) throw new Stop(`what? ${Object.keys(acts).join(', ')}`)
    return acts[act](...args)
  })
}
