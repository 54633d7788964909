// What the compilers do not check: which layer may know what. `node .ci/layering.mjs`, from the root;
// the checks of what is built need a built package.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { homedir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { gzipSync } from 'node:zlib'
import { dist, platformName, root, wasmParts } from '../npm/scripts/paths.mjs'
import { withoutDisplay, withoutTests } from './rust-source.mjs'

const ask = (command, ...args) => execFileSync(command, args, { cwd: root, encoding: 'utf8' })
const tracked = ask('git', 'ls-files', '-z').split('\0').filter(Boolean)
const existing = tracked.filter(path => existsSync(join(root, path)))
const read = path => readFileSync(join(root, path), 'utf8')
const under = (folder, pattern) =>
  existing.filter(path => path.startsWith(folder) && pattern.test(path))
const stem = path => basename(path).replace(/\..*$/, '')

/** The lines of `text` that `pattern` matches, as `path:line: what`. */
function lines(path, text, pattern) {
  return text
    .split('\n')
    .map((line, index) => ({ found: pattern.exec(line)?.[0], number: index + 1 }))
    .filter(({ found }) => found !== undefined)
    .map(({ found, number }) => `${path}:${number}: ${found.trim()}`)
}

/** The memory of the WASM engine, how lists cross, and the files it consists of: the addon needs none. */
const wasmOnly = new Set(
  ['heap', 'numbers', 'engine', 'policies', 'process'].map(name => `wasm-binding/src/${name}.rs`),
)

/** Threads, sockets and libuv: what only native code can do has no counterpart in the other layers. */
const nativeOnly = 'node-binding/src/native/'

const difference = (a, b) => [...a].filter(item => !b.has(item))

const checks = {
  'core depends on rand and libm alone'() {
    const args = ['tree', '--locked', '-p', 'seawall', '--no-default-features', '-e', 'normal']
    const direct = ask('cargo', ...args, '--depth', '1', '--prefix', 'none')
      .trim()
      .split('\n')
    const names = direct.slice(1).map(line => line.split(' ')[0])
    return names.filter(name => name !== 'rand' && name !== 'libm')
  },

  'core reads no clock or file, starts no thread, prints nothing, formats only for people'() {
    const files = /\bstd::fs\b/
    const forbidden = [
      /Instant::now|SystemTime|UNIX_EPOCH/,
      /\bthread::(spawn|sleep|park|Builder|scope|yield_now)/,
      /\b(e?println|e?print|dbg)!/,
      /\bstd::(net|env|process|io::(stdin|stdout|stderr|Read|Write|copy))\b/,
      /\b(thread_rng|SmallRng|OsRng|getrandom|rand::rng)\b/,
      // Not the same on every platform: libm has those that are.
      /\.(powi|powf|exp|exp2|exp_m1|ln|ln_1p|log|log2|log10|sin|cos|tan|sinh|cosh|tanh|cbrt|hypot)\(/,
    ]
    return under('core/src/', /\.rs$/).flatMap(path => {
      const code = withoutTests(read(path))
      // What tokio's clock shows is the time of the futures on it; they take it from here.
      if (path === 'core/src/tokio/clock.rs') return []
      // The samplers of the operating system are there to read its files.
      const here = path.startsWith('core/src/os/') ? forbidden : [...forbidden, files]
      return [
        ...here.flatMap(pattern => lines(path, code, pattern)),
        ...lines(path, withoutDisplay(code), /\bformat!|\.to_string\(\)/),
      ]
    })
  },

  'bindings translate: short files without comparisons, tests or unsafe decisions'() {
    const bindings = under('', /^(node|wasm)-binding\/src\/.+\.rs$/)
    return bindings
      .filter(path => !wasmOnly.has(path) && !path.startsWith(nativeOnly))
      .flatMap(path => {
        const code = withoutTests(read(path))
        const count = read(path).split('\n').length
        return [
          ...(count > 250 ? [`${path}: ${count} lines`] : []),
          // A number below zero says that there is none; anything else is for core to compare.
          ...lines(path, code, / (<|>|<=|>=) (?!0\.0\b)[\w(*-]/),
          ...lines(path, read(path), /#\[test\]|#\[cfg\(test\)\]/),
        ]
      })
  },

  'one word names a file in every layer'() {
    const files = folder =>
      new Set(
        under(folder, /\.rs$/)
          .filter(path => !wasmOnly.has(path) && !path.startsWith(nativeOnly))
          .map(stem),
      )
    const node = files('node-binding/src/')
    const wasm = files('wasm-binding/src/')
    const words = folder => new Set(under(folder, /./).flatMap(path => path.split(/[/.]/)))
    const core = words('core/src/')
    const npm = words('npm/src/')
    const helpers = new Set(['lib', 'options', 'handles', 'millis', 'registry', 'causes'])
    const shared = difference(node, helpers)
    return [
      ...difference(node, wasm).map(name => `${name}.rs is in node-binding alone`),
      ...difference(wasm, node).map(name => `${name}.rs is in wasm-binding alone`),
      ...shared.filter(name => !core.has(name)).map(name => `core has no ${name}`),
      ...shared.filter(name => !npm.has(name)).map(name => `npm/src has no ${name}`),
    ]
  },

  'policies of the package import no other policy, adapters no engine'() {
    const shared = new Set([
      'adopt',
      'clock',
      'errors',
      'events',
      'options',
      'outcome',
      'seed',
      'timer',
    ])
    for (const word of ['causes', 'context', 'gate', 'latency', 'store']) shared.add(word)
    const also = {
      retry: ['backoff', 'classify'],
      breaker: ['backoff', 'classify'],
      rate: ['classify'],
      registry: ['breaker'],
      cache: ['coalesce'],
      testing: ['policy', 'virtual'],
      bulkhead: ['priority'],
      policy: [
        'adaptive',
        'breaker',
        'budget',
        'bulkhead',
        'cache',
        'chaos',
        'coalesce',
        'fallback',
        'hedge',
        'priority',
        'rate',
        'retry',
        'throttle',
        'timeout',
        'virtual',
      ],
      adaptive: ['bulkhead', 'priority'],
      http: ['breaker', 'budget', 'classify', 'deadline', 'policy', 'registry', 'retry'],
      idempotency: ['stores'],
      health: ['pressure'],
      pressure: ['priority'],
      fastify: ['health', 'pressure', 'priority'],
      express: ['lifecycle', 'pressure'],
      lifecycle: ['backoff', 'health', 'pressure'],
    }
    return under('npm/src/', /\.ts$/).flatMap(path => {
      const inside = path.slice('npm/src/'.length)
      const [area] = inside.split(/[/.-]/)
      if (inside === 'index.ts' || area === 'engine') return []
      return [...read(path).matchAll(/^(?:import|export|\}).*\bfrom '(\.[^']+)'/gm)]
        .map(([, to]) => join(dirname(inside), to))
        .filter(to => {
          const [target] = to.split(/[/.-]/)
          if (target === area || shared.has(target)) return false
          if (area === 'kysely') return target === 'engine'
          return target !== 'engine' && !also[area]?.includes(target)
        })
        .map(to => `${path} imports ${to}`)
    })
  },

  'ranges of options are words of the engine'() {
    // A check that TypeScript makes by itself has to say what was allowed, and says it in one of
    // these ways; those of the engine are put into words in one place.
    const range =
      /\bmust (not )?be (above|below|at (least|most)|from (\d|\$\{)|between|greater|less|more|positive|an? (whole )?number (of at|above|below|from))/
    const elsewhere = new Set([
      'errors.ts',
      // Arguments of a call rather than options: the engine is asked later, or never.
      ...['deadline.ts', 'rate-options.ts', 'store.ts', 'virtual-clock.ts'],
      // In the words, and at the moment, of the package it stands in for.
      ...['retry.ts', 'kysely/shutdown.ts'],
      // Core has no option that they would be a part of.
      ...['http/fetch.ts', 'health/probe-options.ts', 'lifecycle/lifecycle.ts'],
      ...['lifecycle/options.ts', 'pressure/options.ts', 'pressure/shed-options.ts'],
    ])
    return under('npm/src/', /\.ts$/)
      .filter(path => !elsewhere.has(path.slice('npm/src/'.length)))
      .flatMap(path => lines(path, withoutComments(read(path)), range))
  },

  'both engines export what the contract names, and nothing else'() {
    const addon = createRequire(import.meta.url)(
      join(root, 'npm/platforms', platformName(), 'seawall.node'),
    )
    // Only an addon has memory that a runtime might copy, and may be of another version.
    const ofAddons = ['addonVersion', 'sharesMemory']
    const native = new Set(Object.keys(addon).filter(name => !ofAddons.includes(name)))
    const everything = new Set()
    const problems = []
    for (const part of Object.values(wasmParts)) {
      const contract = contractOf(part)
      for (const name of contract.keys()) everything.add(name)
      const glue = readFileSync(join(dist, part, 'wasm-glue.js'), 'utf8')
      const exported = (/\breturn\{([^}]*)\}\}\s*$/.exec(glue)?.[1] ?? '')
        .split(',')
        .map(name => name.split(':')[0])
        .filter(name => name !== 'initSync' && name !== 'use')
      // The memory is not asked of the WASM engine: whoever started it has it.
      const start = read(`npm/src/${part}/wasm.ts`)
      for (const [, name] of start.matchAll(/\b(\w+Memory): \(\) =>/g)) exported.push(name)
      const wasm = new Set(exported)
      const wanted = new Set(contract.keys())
      const lacking = names =>
        difference(wanted, names)
          .filter(name => !isOptional(contract.get(name), name))
          .map(name => `${name} (${contract.get(name)})`)
      problems.push(
        ...lacking(native).map(name => `native lacks ${name}`),
        ...lacking(wasm).map(name => `wasm (${part}) lacks ${name}`),
        ...difference(wasm, wanted).map(
          name => `wasm (${part}) exports ${name}, which its contract does not name`,
        ),
      )
    }
    const unnamed = difference(native, everything)
    return [
      ...problems,
      ...unnamed.map(name => `native exports ${name}, which no contract names`),
      ...under('npm/src/engine/contract/', /\.ts$/)
        .filter(path => !Object.values(wasmParts).some(part => contracts(part).includes(path)))
        .map(path => `${path} is in no part of the engine`),
    ]
  },

  'the WASM files are small and import nothing but their glue'() {
    const allowed = /^__wb(indgen_\w+|g_(__wbindgen_\w+|[a-zA-Z]+_[0-9a-f]{16}))$/
    const harmful = /^__wbg_(now|random|getRandomValues|setTimeout|performance|fetch)_/
    const files = Object.keys(wasmParts).map(part => {
      const bytes = readFileSync(join(dist, `${part}.wasm`))
      const packed = gzipSync(bytes, { level: 9 }).length
      return {
        part,
        bytes,
        packed,
        imports: WebAssembly.Module.imports(new WebAssembly.Module(bytes)),
      }
    })
    // What is loaded together, in bytes as it is and with gzip: breakers, schedules and repetition with
    // what failures mean, and every policy.
    const limits = [
      [['engine', 'classify'], 80_000, 36_000],
      [['engine', 'policies'], 110_000, 48_000],
      [['process'], 34_000, 17_600],
    ]
    return [
      ...limits.flatMap(([parts, most, mostPacked]) => {
        const loaded = files.filter(({ part }) => parts.includes(part))
        const size = loaded.reduce((sum, { bytes }) => sum + bytes.length, 0)
        const packed = loaded.reduce((sum, file) => sum + file.packed, 0)
        return [
          ...(size > most ? [`${parts.join(' and ')}: ${size} bytes, ${most} are allowed`] : []),
          ...(packed > mostPacked
            ? [`${parts.join(' and ')}: ${packed} bytes with gzip, ${mostPacked} are allowed`]
            : []),
        ]
      }),
      ...files.flatMap(({ part, imports }) =>
        imports
          // The policies work on the memory, and with the functions, of the engine.
          .filter(({ module }) => part !== 'policies' || module !== 'engine')
          .filter(({ name }) => !allowed.test(name) || harmful.test(name))
          .map(({ module, name }) => `${part}.wasm imports ${module} ${name}`),
      ),
    ]
  },

  'one version'() {
    const cargo = read('Cargo.toml')
    const versions = {
      'Cargo.toml': /\[workspace\.package\]\s+version = "([^"]+)"/.exec(cargo)?.[1],
      'Cargo.toml (seawall)': /^seawall = .*version = "([^"]+)"/m.exec(cargo)?.[1],
      'npm/package.json': JSON.parse(read('npm/package.json')).version,
    }
    return new Set(Object.values(versions)).size === 1 ? [] : [JSON.stringify(versions)]
  },

  'nothing of one machine or one registry is in a file'() {
    const common = new Set(['/', '/home', '/root', '/tmp', '/usr', '/opt', '/var', '/Users'])
    const parents = [root.replace(/\/$/, ''), dirname(root), homedir()]
    const paths = parents
      .filter(path => !common.has(path))
      .map(path => `${RegExp.escape?.(path) ?? path}(?![\\w-])`)
    const hosts = ['registry\\.npm', 'static\\.crates', 'index\\.crates', 'deb\\.deb', 'pypi\\.']
    const pattern = new RegExp(
      [...paths, ...hosts.map(host => `${host}(?=[a-z])`), '/(?:home|Users)/[a-z]\\w*/'].join('|'),
    )
    const text = existing.filter(path => !/(^|\/)(Cargo\.lock|LICENSE)$|\.(png|svg)$/.test(path))
    return text.flatMap(path => lines(path, read(path), pattern))
  },

  'nothing that is built is tracked'() {
    const ignored = ask('git', 'ls-files', '-ci', '--exclude-standard').trim()
    return [
      ...ignored.split('\n').filter(Boolean),
      ...tracked.filter(path =>
        /(^|\/)(dist|target|node_modules)(\/|$)|\.(node|wasm|tgz)$/.test(path),
      ),
    ]
  },
}

/** TypeScript whose comments are blank, line by line; `//` within a string is none where a colon is before it. */
function withoutComments(text) {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, comment => comment.replace(/[^\n]/g, ''))
    .replace(/(^|[^:])\/\/.*$/gm, '$1')
}

/** The files of the contract that a part of the engine consists of. */
function contracts(part) {
  const imports = read(`npm/src/${part}/types.ts`).matchAll(
    /from '\.{1,2}\/contract\/([\w-]+)\.js'/g,
  )
  return Array.from(imports, ([, word]) => `npm/src/engine/contract/${word}.ts`)
}

/** The functions of a part, each with the file that names it. */
function contractOf(part) {
  const found = new Map()
  for (const path of contracts(part)) {
    for (const [, name] of read(path).matchAll(/^ {2}(\w+)\??[(:]/gm)) found.set(name, path)
  }
  return found
}

function isOptional(path, name) {
  return new RegExp(`^ {2}${name}\\?`, 'm').test(read(path))
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  let failed = 0
  for (const [name, check] of Object.entries(checks)) {
    let problems
    try {
      problems = check()
    } catch (error) {
      problems = [error.message]
    }
    console.log(`${problems.length === 0 ? '✔' : '✖'} ${name}`)
    for (const problem of problems) console.log(`    ${problem}`)
    if (problems.length > 0) failed++
  }
  console.log(`${Object.keys(checks).length - failed} passed, ${failed} failed`)
  process.exitCode = failed > 0 ? 1 : 0
}
