// Puts the package as npm would publish it, and its platform package, where the tests import them from.
// The archives stay beside them, with those of the dependencies: tests install them into projects.
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { writeNoticesOfWasm } from './notices.mjs'
import { platformName, root } from './paths.mjs'
import { ask, must } from './run.mjs'
import { loud, main, note, Stop } from './say.mjs'

/** Where the archives are. */
export const tarballs = join(root, 'js-tests/node_modules/.tarballs')

/** Packs with `npm pack` and unpacks into `js-tests/node_modules`. Answers with the names. */
export function pack() {
  const temporary = mkdtempSync(join(tmpdir(), 'seawall-pack-'))
  try {
    const name = platformName()
    rmSync(tarballs, { recursive: true, force: true })
    mkdirSync(tarballs, { recursive: true })
    noticesOfWasm()
    keep(unpack(join(root, 'npm'), 'seawall', temporary))
    keep(unpack(join(root, 'npm/platforms', name), `seawall-${name}`, temporary))
    for (const dependency of dependencies()) {
      const folder = realpathSync(join(root, 'node_modules', dependency))
      keep(archive(folder, dependency, temporary))
    }
    return ['seawall', `seawall-${name}`]
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
}

/** Not on a machine that only tries what was built elsewhere, or has not the sources of all crates. */
function noticesOfWasm() {
  if (ask('cargo', ['--version']) === undefined) {
    loud('no notices of third parties: no cargo')
    return
  }
  try {
    writeNoticesOfWasm()
  } catch (error) {
    if (!(error instanceof Stop)) throw error
    loud(`no notices of third parties for the WASM: ${error.message}`)
  }
}

/** Where tests find it. */
function keep({ out, tarball }) {
  cpSync(join(out, tarball), join(tarballs, tarball))
}

function dependencies() {
  return Object.keys(JSON.parse(readFileSync(join(root, 'npm/package.json'), 'utf8')).dependencies)
}

/** Packs a folder; answers where, as a folder with the one archive. */
export function archive(folder, name, temporary) {
  const out = join(temporary, name)
  mkdirSync(out)
  const npm = process.env.npm_execpath
  const [command, ...first] = npm ? [process.execPath, npm] : ['npm']
  // Scripts that a dependency runs before it is packed are its authors' business.
  const flags = ['--silent', '--ignore-scripts', '--pack-destination', out]
  must(command, [...first, 'pack', ...flags], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: !npm && process.platform === 'win32',
  })
  const [tarball] = readdirSync(out)
  return { out, tarball }
}

/** Packs the package in `folder` and unpacks it there; `temporary` is a folder that is deleted later. */
export function unpack(folder, name, temporary) {
  const { out, tarball } = archive(folder, name, temporary)
  must('tar', ['-xzf', tarball], { cwd: out })
  const target = join(root, 'js-tests/node_modules', name)
  rmSync(target, { recursive: true, force: true })
  mkdirSync(join(target, '..'), { recursive: true })
  cpSync(join(out, 'package'), target, { recursive: true })
  if (!existsSync(join(target, 'package.json'))) throw new Stop(`${name} did not unpack`)
  return { out, tarball }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main(() => note(`packed ${pack().join(' and ')} into js-tests/node_modules`))
}
