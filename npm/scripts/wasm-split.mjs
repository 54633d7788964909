// One WASM module as two: the functions that some of its exports need alone go into a second one, which
// takes from the first what both need - functions, memory, tables, globals - instead of having it again.
//
// Works on the text that binaryen prints: an item of the module begins after a line break and one blank.

/** As what the second module imports the first. */
const FIRST = 'engine'

/** The texts of the modules; `isLater` tells by its name whether an export belongs into the second. */
export function split(text, isLater) {
  const items = text
    .replace(/^\(module\n/, '\n')
    .replace(/\n\)\s*$/, '')
    .split(/\n(?= \()/)
    .slice(1)
  const functions = new Map(
    items.filter(item => item.startsWith(' (func ')).map(item => [nameOf(item), item]),
  )
  const goes = item => {
    const name = /^ \(export "([^"]+)" \(func /.exec(item)?.[1]
    return name !== undefined && isLater(name)
  }
  const roots = items.filter(item => /^ \((export|elem|start) /.test(item) && !goes(item))
  const kept = reachable(roots, functions)
  const isSecond = item => (item.startsWith(' (func ') ? !kept.has(nameOf(item)) : goes(item))
  const second = items.filter(isSecond)
  const code = second.join('\n')
  const called = calls(code)
  const used = named(code, /\((?:global\.[gs]et|call_indirect|table\.\w+) (\$[^\s()]+)/g)

  const shared = []
  const share = (kind, name, type) => {
    const alias = kind === 'memory' ? kind : `${kind}${shared.length}`
    shared.push({ alias, kind, name, type })
  }
  for (const [name, item] of functions) {
    if (kept.has(name) && called.has(name)) share('func', name, signature(item))
  }
  for (const item of items) {
    const [, kind, name, rest] = /^ \((memory|table|global) (\S+) (.*)\)$/s.exec(item) ?? []
    if (kind === 'memory') share(kind, name, rest)
    if (kind === 'table' && used.has(name)) share(kind, name, rest)
    if (kind === 'global' && used.has(name)) {
      share(kind, name, /^(\(mut \w+\)|\w+)/.exec(rest)[0])
    }
  }
  const imports = shared.map(
    ({ alias, kind, name, type }) => ` (import "${FIRST}" "${alias}" (${kind} ${name} ${type}))`,
  )
  const exports = shared
    .filter(({ kind }) => kind !== 'memory')
    .map(({ alias, kind, name }) => ` (export "${alias}" (${kind} ${name}))`)
  const types = items.filter(item => /^ \((type|rec) /.test(item))
  const first = module([...items.filter(item => !isSecond(item)), ...exports])
  return second.length === 0 ? [first] : [first, module([...types, ...imports, ...second])]
}

/**
 * The same modules with short names for what they export, and the map to those from the names they
 * had. A name costs its letters in each place: all of them made two percent of the file.
 */
export function shorten(modules) {
  const short = new Map()
  const other = name => {
    if (name === 'memory') return name
    if (!short.has(name)) short.set(name, letters(short.size))
    return short.get(name)
  }
  const texts = modules.map(text =>
    text
      .replace(/^ \(export "([^"]+)"/gm, (_, name) => ` (export "${other(name)}"`)
      .replace(
        new RegExp(`^ \\(import "${FIRST}" "([^"]+)"`, 'gm'),
        (_, name) => ` (import "${FIRST}" "${other(name)}"`,
      ),
  )
  return { modules: texts, short }
}

/** `a` to `z`, then `aa` and so on. */
function letters(number) {
  const rest = number < 26 ? '' : letters(Math.floor(number / 26) - 1)
  return rest + String.fromCharCode(97 + (number % 26))
}

const module = items => `(module\n${items.join('\n')}\n)\n`

const nameOf = item => /^ \(\w+ (\$\S+)/.exec(item)?.[1]

/** What a function takes and answers. */
function signature(item) {
  const [head] = item.split('\n', 1)
  return (head.match(/\((?:param|result) [^()]*\)/g) ?? [])
    .join(' ')
    .replace(/param \$\S+/g, 'param')
}

/** The functions that an item names: calls them, exports them, has them in a table. */
function calls(item) {
  if (item.startsWith(' (elem ')) return new Set(item.match(/\$[^\s()]+/g))
  return named(item, /\((?:call|return_call|ref\.func|func|start) (\$[^\s()]+)/g)
}

const named = (text, pattern) => new Set(Array.from(text.matchAll(pattern), ([, name]) => name))

/** The functions that can be called from `roots`. */
function reachable(roots, functions) {
  const found = new Set()
  const open = roots.flatMap(item => [...calls(item)])
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (found.has(name) || !functions.has(name)) continue
    found.add(name)
    open.push(...calls(functions.get(name)))
  }
  return found
}
