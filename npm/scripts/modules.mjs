// The code of the package, twice from the same sources.
//
// - `dist/**`: one file for each source. For bundlers, which leave out what nobody asked for (a module
//   is left out whole; a class in a large file often cannot be), and for Deno, Workers and browsers.
// - `dist/node/*`: what Node loads. A file costs Node about a millisecond whatever is in it, and
//   looking up an `imports` condition another one, so an entry is one small file over `shared.js`, which
//   holds all of `seawall` with Node's engine loader inside. What that loads, it takes from `dist/engine`.
//
// - `dist/absent/*`: the exports of an entry where a runtime has no place for it; see `absent.ts`.
//
// Which of them a user gets is a matter of `exports` in `npm/package.json` alone.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { build } from 'esbuild'
import { dist, root } from './paths.mjs'
import { Stop } from './say.mjs'

const src = join(root, 'npm/src')
const SHARED = './shared.js'
const OUT = join(dist, 'node')

const { version } = JSON.parse(readFileSync(join(root, 'npm/package.json'), 'utf8'))

const common = {
  absWorkingDir: src,
  // An addon of another version is refused.
  define: { SEAWALL_VERSION: JSON.stringify(version) },
  format: 'esm',
  platform: 'neutral',
  target: 'es2023',
  logLevel: 'warning',
  write: false,
  metafile: true,
}

/** What Node chooses among the conditions of `imports`, chosen while building. */
const forNode = {
  ...common,
  bundle: true,
  alias: {
    '#engine': join(src, 'engine/node.ts'),
    '#classify': join(src, 'engine/classify/node.ts'),
    '#policies': join(src, 'engine/policies/node.ts'),
    '#process': join(src, 'engine/process/node.ts'),
    '#lru': join(src, 'lru/node.ts'),
  },
  external: ['node:*', 'kysely', 'lru-cache'],
  // Comments and blanks are a third of what Node would have to read at each import; the names stay.
  minifyWhitespace: true,
  minifySyntax: true,
}

/** Builds both. */
export async function modules(sources) {
  const exported = await single(sources)
  absences(await forNodeAlone(exported))
}

function write({ outputFiles }) {
  for (const { path, text } of outputFiles) {
    if (text.trim() === '') continue
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
  }
}

/** One file for each source. Answers what each exports, by the path of the source. */
async function single(sources) {
  const result = await build({ ...common, entryPoints: sources, outbase: src, outdir: dist })
  // Type-only modules are empty, and nothing imports them.
  write(result)
  const found = Object.values(result.metafile.outputs)
  return new Map(found.map(({ entryPoint, exports }) => [entryPoint, exports]))
}

async function forNodeAlone(exported) {
  const entries = nodeEntries()
  const inner = await build({ ...forNode, entryPoints: ['index.ts'], outdir: OUT })
  const members = new Set(Object.keys(inner.metafile.inputs))
  members.delete('index.ts')
  const outer = await build({
    ...forNode,
    entryPoints: entries,
    outdir: OUT,
    splitting: true,
    chunkNames: '[name]-[hash]',
    plugins: [from(members)],
  })
  write(outer)

  const contents = exportsOf(members, exported, wanted(outer))
  // As esbuild writes it, it has an import for each source.
  const all = exported.get('index.ts').join(',')
  writeFileSync(join(OUT, 'index.js'), `export{${all}}from"./shared.js";\n`)
  const shared = await build({
    ...forNode,
    stdin: { contents, resolveDir: src, sourcefile: 'shared.ts', loader: 'ts' },
    outfile: join(OUT, SHARED),
  })
  write(shared)
  return new Map(
    Object.values(outer.metafile.outputs).map(({ entryPoint, exports }) => [entryPoint, exports]),
  )
}

/** The conditions under which an entry has no place. */
const without = conditions =>
  Object.keys(conditions).filter(key => conditions[key].startsWith('./dist/absent/'))

/** The files that stand in for entries. `bundled` has what each exports, by the path of its source. */
function absences(bundled) {
  mkdirSync(join(dist, 'absent'), { recursive: true })
  for (const { subpath, conditions, out } of entriesOf()) {
    if (without(conditions).length === 0) continue
    const path = conditions.default.slice('./dist/'.length)
    // What is required by name is exported by name too.
    const names = bundled.get(path.replace(/js$/, 'ts')) ?? ['default', ...REQUIRED[subpath]]
    const lines = [
      "import { absent } from '../absent.js'",
      `const it = /* @__PURE__ */ absent('seawall${subpath.slice(1)}')`,
      `export { ${names.map(name => `it as ${name}`).join(', ')} }`,
    ]
    writeFileSync(join(dist, 'absent', `${out}.js`), `${lines.join('\n')}\n`)
  }
}

/** What CommonJS entries export besides their function. */
const REQUIRED = {
  './fastify': [
    'fastifyUnderPressure',
    'TYPE_EVENT_LOOP_DELAY',
    'TYPE_EVENT_LOOP_UTILIZATION',
    'TYPE_HEALTH_CHECK',
    'TYPE_HEAP_USED_BYTES',
    'TYPE_RSS_BYTES',
  ],
}

/** The entries of `exports` that are code, each with the name of its file in a flat folder. */
function entriesOf() {
  const { exports } = JSON.parse(readFileSync(join(root, 'npm/package.json'), 'utf8'))
  return Object.entries(exports)
    .filter(([, conditions]) => typeof conditions !== 'string')
    .map(([subpath, conditions]) => {
      const out = subpath === '.' ? 'index' : subpath.slice(2).replaceAll('/', '-')
      return { subpath, conditions, out }
    })
}

/** The entries of `exports`, each with the name of its file for Node; refuses what would be loaded twice. */
function nodeEntries() {
  return entriesOf().flatMap(({ subpath, conditions, out }) => {
    // A CommonJS entry is one file for everybody, and built by itself.
    if (conditions.default.endsWith('.cjs')) return []
    const path = conditions.default.slice('./dist/'.length, -'.js'.length)
    const absent = Object.fromEntries(
      without(conditions).map(condition => [condition, `./dist/absent/${out}.js`]),
    )
    const wanted = {
      types: `./dist/${path}.d.ts`,
      ...absent,
      module: `./dist/${path}.js`,
      ...(!absent.deno && { deno: `./dist/${path}.js` }),
      node: `./dist/node/${out}.js`,
      default: `./dist/${path}.js`,
    }
    // In this order: the first condition that holds is taken.
    if (JSON.stringify(conditions) !== JSON.stringify(wanted)) {
      const shown = JSON.stringify({ [subpath]: wanted }, null, 2)
      throw new Stop(`npm/package.json: an entry must have both builds, in this order: ${shown}`)
    }
    return { in: `${path}.ts`, out }
  })
}

/** Takes the modules in `members` from the shared file. */
function from(members) {
  return {
    name: 'shared',
    setup(build) {
      build.onResolve({ filter: /^[.#]/ }, ({ path, resolveDir }) => {
        const file = forNode.alias[path] ?? join(resolveDir, path).replace(/\.js$/, '.ts')
        const source = relative(src, file).replaceAll('\\', '/')
        // Free of side effects: an import of which nothing is used goes.
        return members.has(source)
          ? { path: SHARED, external: true, sideEffects: false }
          : undefined
      })
    },
  }
}

/** The names that built files import from the shared one. */
function wanted({ outputFiles }) {
  const names = new Set()
  for (const { text } of outputFiles) {
    for (const [, list] of text.matchAll(/(?:import|export)\{([^}]*)\}from"\.\/shared\.js"/g)) {
      for (const name of list.split(',')) names.add(name.split(' as ')[0].trim())
    }
  }
  return names
}

/** The source of the shared file. One name for two things would let one entry have the other's. */
function exportsOf(members, exported, names) {
  const lines = []
  const seen = new Map()
  for (const path of members) {
    const used = (exported.get(path) ?? []).filter(name => names.has(name))
    for (const name of used) {
      if (seen.has(name)) throw new Stop(`${path} and ${seen.get(name)} both export ${name}`)
      seen.set(name, path)
    }
    if (used.length > 0)
      lines.push(`export { ${used.join(', ')} } from './${path.replace(/ts$/, 'js')}'`)
  }
  return lines.join('\n')
}
