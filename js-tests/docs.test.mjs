// Every JavaScript and TypeScript block of the README and every example of the TSDoc comments is
// type-checked, and run where it stands on its own. A name that an example leaves open (`db`,
// `fetchUser`) makes it type-checked only, and so does `no_run` behind the language; both are
// named in the test's title. In TSDoc, what the package exports needs no import.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { after, test } from 'node:test'

const root = dirname(import.meta.dirname)
// Beside the tests, where `seawall` is found; Node strips no types below node_modules.
const folder = join(import.meta.dirname, '.docs')
const compiler = join(root, 'node_modules/.bin/tsc')

/** The fenced blocks of a text: language, words behind it, code, and the line it begins on. */
function blocks(text) {
  const fence = /^```(\w+)([^\n]*)\n([\s\S]*?)^```/gm
  return [...text.matchAll(fence)].map(([, language, words, code, offset]) => ({
    language,
    noRun: words.includes('no_run'),
    code,
    line: 1,
    offset,
  }))
}

function withLines(text, found) {
  let from = 0
  return found.map(block => {
    from = text.indexOf(block.code.split('\n', 1)[0], from)
    return { ...block, line: text.slice(0, from).split('\n').length }
  })
}

function readme() {
  const text = readFileSync(join(root, 'README.md'), 'utf8')
  return withLines(text, blocks(text)).map(block => ({ ...block, from: 'README.md' }))
}

/** The blocks in doc comments, without the stars before their lines. */
function tsdoc() {
  const source = join(root, 'npm/src')
  const files = readdirSync(source, { recursive: true }).filter(name => /\.[jt]s$/.test(name))
  return files.sort().flatMap(name => {
    const text = readFileSync(join(source, name), 'utf8')
    const found = [...text.matchAll(/\/\*\*[\s\S]*?\*\//g)].flatMap(([comment]) =>
      blocks(comment.replace(/^[ \t]*\* ?/gm, '')),
    )
    return withLines(text, found).map(block => ({ ...block, from: `npm/src/${name}` }))
  })
}

const languages = new Set(['js', 'mjs', 'javascript', 'ts', 'typescript'])
const examples = [...readme(), ...tsdoc()]
  .filter(({ language }) => languages.has(language))
  .map((example, index) => ({ ...example, file: join(folder, `example-${index}.ts`) }))

/** Compiles all examples together; answers with the errors of each file. */
function compile(prelude) {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  for (const example of examples) {
    writeFileSync(example.file, `${example.code}\n${prelude(example)}\nexport {}\n`)
  }
  const options = {
    target: 'es2023',
    lib: ['es2024', 'esnext.disposable', 'dom'],
    module: 'nodenext',
    strict: true,
    noImplicitAny: false,
    noEmit: true,
    skipLibCheck: true,
    allowImportingTsExtensions: true,
    types: ['node'],
  }
  const project = join(folder, 'tsconfig.json')
  writeFileSync(project, JSON.stringify({ compilerOptions: options, include: ['*.ts'] }))
  const { stdout } = spawnSync(compiler, ['-p', project, '--pretty', 'false'], {
    cwd: folder,
    encoding: 'utf8',
  })
  const errors = new Map()
  for (const line of stdout.split('\n').filter(line => line.includes(': error TS'))) {
    const file = join(folder, basename(line.slice(0, line.indexOf('('))))
    errors.set(file, [...(errors.get(file) ?? []), line])
  }
  return errors
}

// What stands in several entries is imported from the first.
const entries = {}
for (const name of [
  '',
  '/stores',
  '/testing',
  '/http',
  '/idempotency',
  '/pressure',
  '/health',
  '/kysely',
])
  entries[`seawall${name}`] = await import(`seawall${name}`)
const isExported = name => Object.values(entries).some(entry => name in entry)

/** The names that an example uses and nobody declares. */
function openNames(lines) {
  const open = /error TS(?:2304|2552|18004): .*?'(\w+)'(?:.*Did you mean '(\w+)')?/
  const found = lines.map(line => open.exec(line)).filter(Boolean)
  // One that resembles an export is a misspelling, and stays an error.
  return [...new Set(found.filter(([, , meant]) => !isExported(meant)).map(([, name]) => name))]
}

const names = new Map()
for (const [file, lines] of compile(() => '')) names.set(file, openNames(lines))

/** The import that a TSDoc example goes without, as those beside the code do. */
function importOf(name, from) {
  if (!from.startsWith('npm/src/')) return undefined
  const order = Object.keys(entries)
  if (from.startsWith('npm/src/kysely/')) order.reverse()
  const entry = order.find(entry => name in entries[entry])
  return entry && `import { ${name} } from '${entry}'`
}

const unknown = new Map()
const errors = compile(({ file, from }) => {
  const lines = []
  const left = []
  for (const name of names.get(file) ?? []) {
    const line = importOf(name, from)
    // A README without its import would mislead: left as it is, that is an error of the compiler.
    if (line === undefined && isExported(name)) continue
    if (line === undefined) left.push(name)
    lines.push(line ?? `declare const ${name}: any`)
  }
  unknown.set(file, left)
  return lines.join('\n')
})

after(() => rmSync(folder, { recursive: true, force: true }))

test('there are examples', () => assert.ok(examples.length > 0))

for (const { from, line, file, code, noRun } of examples) {
  const left = unknown.get(file) ?? []
  const why = left.length > 0 ? `leaves open ${left.join(', ')}` : 'no_run'
  const runs = left.length === 0 && !noRun
  test(`${from}:${line} ${runs ? 'runs' : `compiles (not run: ${why})`}`, () => {
    const wrong = errors.get(file) ?? []
    assert.deepEqual(wrong, [], `${wrong.join('\n')}\nin:\n${code}`)
    if (!runs) return
    const { status, signal, stdout, stderr, error } = spawnSync(process.execPath, [file], {
      cwd: relative(process.cwd(), folder) || '.',
      encoding: 'utf8',
      timeout: 60_000,
    })
    // One that listens until it is told to end, and then ends well, has not come to its end.
    assert.equal(error, undefined, `${error}\nin:\n${code}`)
    assert.equal(status, 0, `${signal ?? ''}${stdout}${stderr}\nin:\n${code}`)
  })
}
