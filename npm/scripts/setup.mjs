// Brings a checkout to the point where everything runs; says what it does, and does nothing twice.
// Needs a Node from 20 on with npm, and Rust. `node npm/scripts/setup.mjs`, and before every other command.
import { existsSync, lstatSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from './build.mjs'
import { installedNode, projectNode, root } from './paths.mjs'
import { ask, must } from './run.mjs'
import { requireRust } from './rust.mjs'
import { heading, loud, main, note, Stop, seconds, step } from './say.mjs'
import { staleParts } from './stale.mjs'

/** Answers with the path of the Node to run the project with. */
export async function setup() {
  const started = performance.now()
  heading('Set-up')
  const [major] = process.versions.node.split('.').map(Number)
  if (major < 20) throw new Stop(`Node 20 or later is needed, this is ${process.version}`)
  dependencies()
  const node = projectNode()
  if (node === undefined) {
    throw new Stop(
      `npm has no Node 24 for ${process.platform}-${process.arch}, and this is ${process.version}:` +
        ' install Node 22.12 or later and run the command with it',
    )
  }
  const missing = deno() === undefined ? ['deno'] : []
  for (const version of [22, 24, 26]) if (!installedNode(version)) missing.push(`node ${version}`)
  if (missing.length > 0) loud(`npm brought no ${missing.join(', no ')} for this platform`)
  requireRust()
  const stale = staleParts()
  if (stale.length > 0) note(`to build: ${stale.join(', ')}`)
  for (const part of stale) await build(part)
  note(`ready in ${seconds(started)}, Node ${ask(node, ['--version'])}`)
  return node
}

function dependencies() {
  const modules = join(root, 'node_modules')
  const wrong = mismatch(modules)
  if (wrong === undefined) return
  if (lstatSync(modules, { throwIfNoEntry: false })?.isSymbolicLink()) {
    throw new Stop(`node_modules is a link, and ${wrong}: run \`npm ci\` where it points to`)
  }
  step(`dependencies (npm ci, half a minute): ${wrong}`)
  const npm = process.env.npm_execpath
  const [command, ...first] = npm ? [process.execPath, npm] : ['npm']
  must(command, [...first, 'ci', '--loglevel=error'], {
    shell: !npm && process.platform === 'win32',
  })
  const still = mismatch(modules)
  if (still !== undefined) throw new Stop(`after npm ci, ${still}`)
}

/** What keeps `node_modules` from being what the lock file asks for; undefined where nothing does. */
function mismatch(modules) {
  const notes = join(modules, '.package-lock.json')
  if (!existsSync(notes)) return 'nothing is installed yet'
  const wanted = packages(join(root, 'package-lock.json'))
  const installed = packages(notes)
  for (const [path, entry] of Object.entries(wanted)) {
    if (!path.startsWith('node_modules/') && !path.includes('/node_modules/')) continue
    const found = installed[path]
    const there = found !== undefined && existsSync(join(root, path))
    if (!there && !entry.optional) return `${path} is missing`
    if (there && found.version !== entry.version) return `${path} is not ${entry.version}`
  }
  const extra = Object.keys(installed).find(path => !(path in wanted))
  return extra && `${extra} is not in the lock file`
}

function packages(file) {
  return JSON.parse(readFileSync(file, 'utf8')).packages
}

/** The Deno that npm brought. Its package needs no install script: the program lies in a platform package. */
export function deno() {
  const wrapper = join(root, 'node_modules/.bin/deno')
  return ask(wrapper, ['--version']) === undefined ? undefined : wrapper
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) await main(setup)
