// `npm test`: everything, over the package as it would be published. `npm test -- node24 deno` runs
// the steps whose names contain one of the words.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { findServers } from '../../js-tests/find-servers.mjs'
import { nodeFiles } from './node-files.mjs'
import { pack } from './pack.mjs'
import { installedNode, root, targetDir } from './paths.mjs'
import { watch } from './run.mjs'
import { bold, green, heading, loud, main, note, red, seconds, yellow } from './say.mjs'
import { deno, setup } from './setup.mjs'
import * as tally from './tally.mjs'

const jsTests = join(root, 'js-tests')
/** What is tested in one build; `.ci/features` checks that the others compile. */
const rustFeatures = 'seawall/serde,seawall-tests/async'

const all = readdirSync(jsTests, { recursive: true })
  .filter(name => !name.includes('node_modules') && !name.startsWith('.'))
  .sort()
  .map(name => join(jsTests, name))
const named = pattern => all.filter(file => pattern.test(file))
const tests = named(/\.test\.mjs$/)
const databases = named(/[/\\]databases[^/\\]*\.test\.mjs$/)
const docs = named(/[/\\]docs\.test\.mjs$/)
// Long, and about the demo and the sources: once is enough.
const demo = named(/[/\\]demo\.test\.mjs$/)
// They start every runtime themselves.
const runtimes = named(/[/\\]runtimes[/\\][^/\\]+\.test\.mjs$/)
const once = [...databases, ...docs, ...demo, ...runtimes]
const general = tests.filter(file => !once.includes(file))
const everyEngine = named(/(\.engine|[/\\]vectors[^/\\]*)\.test\.mjs$/)

async function cargo(args, { env, judge = tally.cargo } = {}) {
  const colour = process.stdout.isTTY ? { CARGO_TERM_COLOR: 'always' } : {}
  return judge(await watch('cargo', args, { env: { ...colour, ...env }, show: interesting }))
}

/** Thousands of `test x ... ok` lines say less than their sum. */
function interesting(line) {
  return /^test .* (ok|ignored)$|^running \d+ test|^\s*$/.test(line) ? undefined : line
}

const node = (program, files, engine) => nodeFiles(program, files, { SEAWALL_ENGINE: engine })

function steps(ours) {
  const node24 = installedNode(24) ?? ours
  const list = [
    {
      name: 'rust',
      what: 'core, its proofs and its doc examples',
      run: () =>
        cargo(['test', '--locked', '-p', 'seawall', '-p', 'seawall-tests', '-F', rustFeatures]),
    },
    // Elsewhere a program of the addon's tests wants Node's library to link.
    ...(process.platform === 'linux'
      ? [
          {
            name: 'rust addon',
            what: 'the native threads by themselves',
            run: () => cargo(['test', '--locked', '-p', 'seawall-node']),
          },
        ]
      : []),
    {
      name: 'rust no_std',
      what: 'core builds without any feature',
      run: () =>
        cargo(['check', '--locked', '-p', 'seawall', '--no-default-features'], {
          judge: tally.check,
        }),
    },
  ]
  if (['loom.rs', 'loom'].some(name => existsSync(join(root, 'rust-tests/tests', name)))) {
    list.push({
      name: 'rust loom',
      what: 'every interleaving of the shared state',
      run: () =>
        cargo(['test', '--locked', '-p', 'seawall-tests', '--release', '--test', 'loom'], {
          env: {
            RUSTFLAGS: '--cfg loom',
            CARGO_TARGET_DIR: join(targetDir, 'loom'),
            CARGO_PROFILE_RELEASE_LTO: 'off',
            CARGO_PROFILE_RELEASE_CODEGEN_UNITS: '16',
          },
        }),
    })
  }
  list.push({ name: 'pack', what: 'the package packs and unpacks', run: packed })
  const matrix = [
    [24, 'native', general],
    [24, 'wasm', general],
    [22, 'native', general],
    [22, 'wasm', everyEngine],
    [26, 'native', general],
    [26, 'wasm', everyEngine],
  ]
  for (const [major, engine, files] of matrix) {
    const program = major === 24 ? node24 : installedNode(major)
    const name = `node${major} ${engine}`
    if (program === undefined) loud(`no Node ${major} for this platform: "${name}" is not run`)
    else list.push({ name, what: `${files.length} files`, run: () => node(program, files, engine) })
  }
  const program = deno()
  if (program === undefined) loud('no Deno for this platform: its tests are not run')
  else list.push({ name: 'deno', what: 'no permission but to read', run: () => denoTests(program) })
  const places = 'each Node, Deno, Bun, workerd, Chromium, and bundlers'
  list.push({ name: 'runtimes', what: places, run: () => node(node24, runtimes, 'native') })
  list.push({ name: 'types', what: 'what TypeScript users see', run: types })
  list.push({ name: 'docs', what: 'README and TSDoc', run: () => node(node24, docs, 'native') })
  list.push({ name: 'demo', what: 'npm start', run: () => node(node24, demo, 'native') })
  if (databases.length > 0) list.push(...databaseSteps(node24))
  return list
}

function packed() {
  note(`packed ${pack().join(' and ')} into js-tests/node_modules`)
  return tally.check({ ok: true })
}

async function denoTests(program) {
  const files = named(/\.deno\.mjs$/)
  if (files.length === 0) return tally.nothing()
  const flags = ['--no-prompt', '--no-check', '--no-lock', '--cached-only', `--allow-read=${root}`]
  return tally.deno(await watch(program, ['test', ...flags, ...files], { env: { NO_COLOR: '1' } }))
}

async function types() {
  const files = named(/[/\\]types[/\\][^/\\]+\.c?ts$/)
  const compiler = join(root, 'node_modules/.bin/tsc')
  return tally.tsc(await watch(compiler, ['-p', join(jsTests, 'types')]), files.length)
}

function databaseSteps(node24) {
  const required = process.env.SEAWALL_REQUIRE_SERVERS === '1'
  const { found, missing } = findServers()
  const list = []
  if (found.length > 0) {
    const run = () => node(node24, databases, 'native')
    list.push({ name: 'databases', what: found.join(', '), run })
  }
  for (const server of missing) {
    loud(`no ${server} found: its tests are ${required ? 'counted as failed' : 'NOT RUN'}`)
    const outcome = { passed: 0, failed: required ? 1 : 0, skipped: required ? 0 : 1 }
    list.push({ name: server, what: 'missing', run: () => ({ ...outcome, note: 'no server' }) })
  }
  return list
}

/** The steps with one of the words in their names, and what they rest on. */
function choose(list, words) {
  if (words.length === 0) return list
  const wanted = list.filter(({ name }) => words.some(word => name.includes(word)))
  const packed = wanted.some(({ name }) => !name.startsWith('rust'))
  return list.filter(step => wanted.includes(step) || (packed && step.name === 'pack'))
}

function table(rows) {
  const width = Math.max(...rows.map(({ name }) => name.length))
  heading('Results')
  console.log(`${'runner'.padEnd(width)}  passed  failed  skipped     time`)
  for (const { name, passed, failed, skipped, time, note } of rows) {
    const numbers = [
      String(passed).padStart(6),
      (failed > 0 ? red : green)(String(failed).padStart(6)),
      (skipped > 0 ? yellow : String)(String(skipped).padStart(7)),
    ]
    const tail = note ? `  ${yellow(note)}` : ''
    console.log(`${bold(name.padEnd(width))}  ${numbers.join('  ')}  ${time.padStart(7)}${tail}`)
  }
}

await main(async () => {
  const ours = await setup()
  const chosen = choose(steps(ours), process.argv.slice(2))
  const rows = []
  for (const { name, what, run } of chosen) {
    heading(`${name}: ${what}`)
    const started = performance.now()
    let row
    try {
      row = await run()
    } catch (error) {
      console.log(red(error.message))
      row = { passed: 0, failed: 1, skipped: 0, note: 'broke down' }
    }
    const time = seconds(started)
    note(`${name}: ${row.passed} passed, ${row.failed} failed, ${time}`)
    rows.push({ name, time, ...row })
  }
  if (rows.length === 0) rows.push({ name: 'nothing', time: '', passed: 0, failed: 1, skipped: 0 })
  table(rows)
  const sum = key => rows.reduce((total, row) => total + row[key], 0)
  if (sum('skipped') > 0) loud(`${sum('skipped')} skipped, see above`)
  console.log(`\n${sum('passed')} passed, ${sum('failed')} failed`)
  if (sum('failed') > 0) process.exitCode = 1
})
