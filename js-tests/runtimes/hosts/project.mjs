// An empty project of a user's: what `npm pack` made, installed by npm with no registry to ask.
import { createHash } from 'node:crypto'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { tarballs } from '../../../npm/scripts/pack.mjs'
import { root } from '../../../npm/scripts/paths.mjs'
import { bin, environment, output } from './tools.mjs'

const tests = join(root, 'js-tests')
const vectors = join(root, 'rust-tests/vectors')
/** Packages the entries go with, and what tools of the tests must find beside them. */
const BESIDE = ['kysely']
const OLD_MS = 3_600_000

let made

/** The folder of the project, made once for each state of the package and the tests. */
export function project() {
  made ??= make()
  return made
}

async function make() {
  const packed = readdirSync(tarballs)
    .filter(name => name.endsWith('.tgz'))
    .sort()
  if (packed.length === 0) throw new Error('nothing is packed: node npm/scripts/pack.mjs')
  const hash = createHash('sha256')
  for (const name of packed) hash.update(readFileSync(join(tarballs, name)))
  for (const file of sources()) hash.update(readFileSync(file))
  const folder = join(tmpdir(), `seawall-project-${hash.digest('hex').slice(0, 16)}`)
  if (existsSync(folder)) return folder
  const temporary = mkdtempSync(join(tmpdir(), 'seawall-project-'))
  await install(temporary, packed)
  add(temporary)
  // Several test files may have made one at the same time: the first stays.
  try {
    renameSync(temporary, folder)
  } catch {
    rmSync(temporary, { recursive: true, force: true })
  }
  sweep(folder)
  return folder
}

/** The files of the tests that go into the project. */
function sources() {
  const folders = ['runtimes/scenarios', 'replay'].map(name => join(tests, name))
  return [
    join(tests, 'replay.mjs'),
    ...folders.flatMap(folder => readdirSync(folder).map(name => join(folder, name))),
  ].sort()
}

async function install(folder, packed) {
  const manifest = { name: 'a-project', private: true, type: 'module', dependencies: {} }
  for (const name of packed) {
    cpSync(join(tarballs, name), join(folder, name))
    const [, dependency] = /^(.+)-\d+\.\d+\.\d+.*\.tgz$/.exec(name)
    manifest.dependencies[dependency] = `file:${name}`
  }
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest, null, 2))
  const npm = process.env.npm_execpath
  const [command, ...first] = npm ? [process.execPath, npm] : ['npm']
  const flags = ['--offline', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error']
  const cache = join(folder, '.npm')
  const env = environment({ npm_config_cache: cache, npm_config_update_notifier: 'false' })
  await output(command, [...first, 'install', ...flags], { cwd: folder, env })
  rmSync(cache, { recursive: true, force: true })
}

/** What the runtimes are to run, and the packages it needs besides. */
function add(folder) {
  for (const name of BESIDE) {
    const target = join(folder, 'node_modules', name)
    cpSync(realpathSync(join(bin, name)), target, { recursive: true })
  }
  cpSync(join(tests, 'runtimes/scenarios'), join(folder, 'scenarios'), { recursive: true })
  cpSync(join(tests, 'replay'), join(folder, 'replay'), { recursive: true })
  cpSync(join(tests, 'replay.mjs'), join(folder, 'replay.mjs'))
  // A module, since not every runtime may read files.
  writeFileSync(join(folder, 'vectors.mjs'), `export default ${JSON.stringify(allVectors())}\n`)
  writeFileSync(
    join(folder, 'main.mjs'),
    `import { play } from './scenarios/play.mjs'
const context = JSON.parse(globalThis.process?.argv?.[2] ?? globalThis.Deno?.args[0] ?? '{}')
console.log(JSON.stringify(await play(context)))
`,
  )
  writeFileSync(
    join(folder, 'main.cjs'),
    `const { play } = require('./scenarios/play.mjs')
play(JSON.parse(process.argv[2] ?? '{}')).then(report => console.log(JSON.stringify(report)))
`,
  )
}

function allVectors() {
  const folders = readdirSync(vectors, { withFileTypes: true }).filter(it => it.isDirectory())
  return Object.fromEntries(
    folders.map(({ name }) => [
      name,
      readdirSync(join(vectors, name))
        .filter(file => file.endsWith('.json'))
        .map(file => JSON.parse(readFileSync(join(vectors, name, file), 'utf8'))),
    ]),
  )
}

/** Projects of earlier states go once they are old. */
function sweep(folder) {
  for (const name of readdirSync(tmpdir())) {
    const path = join(tmpdir(), name)
    if (!/^seawall-project-\w{16}$/.test(name) || name === basename(folder)) continue
    try {
      if (Date.now() - statSync(path).mtimeMs > OLD_MS) rmSync(path, { recursive: true })
    } catch {
      // Another run was faster.
    }
  }
}

/** A folder inside the project, so that it finds what is installed there; gone after the test. */
export function workplace(t, folder, prefix) {
  mkdirSync(join(folder, 'work'), { recursive: true })
  const path = mkdtempSync(join(folder, 'work', `${prefix}-`))
  t.after(() => rmSync(path, { recursive: true, force: true }))
  return path
}
