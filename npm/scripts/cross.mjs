// The addons of other platforms.
//   npm run cross                     builds and runs whatever can be here, and says what cannot
//   npm run cross -- linux-arm64-gnu  only these; with SEAWALL_REQUIRE_CROSS, what cannot be run fails
//   node npm/scripts/cross.mjs release <name>   the addon of a platform, as it is published
//   node npm/scripts/cross.mjs try <name>       tests the engine with it, by the Node that runs this
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { mismatch } from './binary.mjs'
import { compile, compileOnce, compileTogether } from './cross-build.mjs'
import { foreignNode } from './cross-run.mjs'
import { pack, unpack } from './pack.mjs'
import { platformName, root } from './paths.mjs'
import { glibc, placeAddon, platforms } from './platforms.mjs'
import { watch } from './run.mjs'
import { heading, loud, main, note, red, Stop, seconds } from './say.mjs'

const jsTests = join(root, 'js-tests')
/** What needs no package but ours, starts no process, and does not take long in an emulator. */
const tests = /^vectors.*\.engine\.test\.mjs$|^breaker\.test\.mjs$/
/** Where the platform is the real one, what starts processes as well. */
const more =
  /^(model|package)\.engine\.test\.mjs$|^(bulkhead|platforms|engines|express-windows|workers)\.test\.mjs$/

/** Builds the addon of a platform and puts it into its package. */
function build(name, make = compile) {
  const library = make(name)
  const addon = placeAddon(name, library)
  const wrong = mismatch(addon, platforms[name], glibc)
  if (wrong !== undefined) throw new Stop(`the addon for ${name}: ${wrong}`)
  return addon
}

const files = pattern =>
  readdirSync(jsTests)
    .filter(name => pattern.test(name))
    .sort()
    .map(name => join(jsTests, name))

/** Asks the engine which it is, then runs its tests: a process for each file, since the runner would start some. */
async function test(name, { command, env, isolated }) {
  const [program, ...first] = command
  const ask = `import { engineStats } from 'seawall'
    const { kind, reason } = engineStats()
    console.log(process.platform, process.arch, process.version, kind, reason)
    if (kind !== 'native' || !reason.startsWith('seawall-${name} ')) process.exit(1)`
  const common = {
    env: { ...env, SEAWALL_ENGINE: 'native' },
    timeoutMs: 300_000,
    cwd: jsTests,
  }
  const which = await watch(program, [...first, '--input-type=module', '-e', ask], common)
  if (!which.ok) throw new Stop(`the addon for ${name} does not load`)
  const quiet = line => (/^(ℹ (pass|fail)|✖)/.test(line) ? line : undefined)
  const wanted = isolated ? [...files(tests), ...files(more)] : files(tests)
  for (const file of wanted) {
    note(file)
    const args = [...first, '--expose-gc', '--test-reporter=spec', file]
    const { ok, output } = await watch(program, args, { ...common, show: quiet })
    if (!ok) throw new Stop(`fails:\n${output.split('\n').slice(-40).join('\n')}`)
  }
}

/** One platform: what was done, or a `Skip`. */
async function one(name) {
  const done = []
  const built = compileOnce(name)
  if (built.skipped) return built
  if (built.checked) return { done: `compiles (${built.checked})` }
  build(name, built.make)
  done.push(built.also ? `built, compiles for ${built.also}` : 'built')
  const node = foreignNode(name)
  if (node.skipped) return { done: done.join(', '), skipped: node.skipped }
  const temporary = mkdtempSync(join(tmpdir(), 'seawall-cross-'))
  try {
    unpack(join(root, 'npm'), 'seawall', temporary)
    unpack(join(root, 'npm/platforms', name), `seawall-${name}`, temporary)
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
  await test(name, node)
  done.push(`tested (${node.what})`)
  return { done: done.join(', ') }
}

async function all(names) {
  const rows = []
  try {
    compileTogether(names)
  } catch {
    // Each says below what is wrong with it.
  }
  for (const name of names) {
    heading(name)
    const started = performance.now()
    let row
    try {
      row = await one(name)
    } catch (error) {
      row = { failed: error.message }
      console.log(red(error.message))
    }
    if (row.skipped) loud(`${name}: ${row.skipped}`)
    if (row.skipped && process.env.SEAWALL_REQUIRE_CROSS) row = { ...row, failed: row.skipped }
    rows.push({ name, ...row, time: seconds(started) })
  }
  heading('Addons of other platforms')
  for (const { name, done, skipped, failed, time } of rows) {
    const what = [done, skipped && `NOT: ${skipped}`, failed && 'FAILED'].filter(Boolean).join('; ')
    note(`${name.padEnd(18)} ${what}, ${time}`)
  }
  const count = key => rows.filter(row => row[key]).length
  const passed =
    rows.length -
    count('failed') -
    rows.filter(row => row.skipped && !row.done && !row.failed).length
  console.log(`\n${passed} passed, ${count('failed')} failed`)
  if (count('failed') > 0) process.exitCode = 1
}

const acts = {
  release(name) {
    note(build(name))
  },

  async try(name) {
    if (name !== platformName()) throw new Stop(`this is ${platformName()}, not ${name}`)
    if (!existsSync(join(root, 'npm/platforms', name, 'seawall.node')))
      throw new Stop('build first')
    pack()
    await test(name, { command: [process.execPath], isolated: true })
  },
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main(async () => {
    const [act, ...names] = process.argv.slice(2)
    const wanted = act in acts ? names : process.argv.slice(2)
    for (const name of wanted) {
      if (!(name in platforms)) throw new Stop(`no platform "${name}": ${Object.keys(platforms)}`)
    }
    if (act in acts) return acts[act](...names)
    const others = Object.keys(platforms).filter(name => name !== platformName())
    await all(wanted.length > 0 ? wanted : others)
  })
}
