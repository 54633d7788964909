// What each runtime has, for the README. `node js-tests/runtimes/hosts/table.mjs` writes it there,
// from `table.json`, which the tests of the runtimes write with SEAWALL_WRITE_TABLE=1 and else check.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { root } from '../../../npm/scripts/paths.mjs'
import { readTable } from './judge.mjs'

const BEGIN = '<!-- what each runtime has: written by js-tests/runtimes/hosts/table.mjs -->'
const END = '<!-- so far -->'

/** What begins where in the README; several columns with the same words are one. */
const COLUMNS = {
  Node: ['Node 22', 'Node 24', 'Node 26'],
  'Node without addons': ['Node without addons'],
  Bun: ['Bun'],
  Deno: ['Deno'],
  Workers: ['Workers'],
  Browsers: ['Browsers'],
}

/** Rows that are the same everywhere are one, which names them. */
export function render(table) {
  const columns = Object.entries(COLUMNS).map(([name, parts]) => [name, same(name, parts, table)])
  const rows = Object.keys(columns[0][1])
  const shown = row => columns.map(([, column]) => words(column[row]))
  const everywhere = rows.filter(row => shown(row).every(word => word === '✓'))
  const others = rows.filter(row => !everywhere.includes(row))
  const line = cells => `| ${cells.join(' | ')} |`
  const code = row => (row.startsWith('seawall/') ? `\`${row}\`` : row)
  return [
    line(['', ...Object.keys(COLUMNS)]),
    line(['---', ...columns.map(() => '---')]),
    ...others.map(row => line([code(row), ...shown(row)])),
    line([everywhere.map(code).join(', '), ...columns.map(() => '✓')]),
    '',
  ].join('\n')
}

/** The column of runtimes that must not differ. */
function same(name, parts, table) {
  const [first, ...others] = parts.map(part => table[part])
  for (const other of others) {
    if (JSON.stringify(other) !== JSON.stringify(first)) throw new Error(`${name}: they differ`)
  }
  return first
}

function words(value) {
  return { yes: '✓', no: '–', all: '✓' }[value] ?? value
}

/** The table of a README, `undefined` where there is no place for one. */
export function inReadme(text) {
  const from = text.indexOf(BEGIN)
  const to = text.indexOf(END, from)
  return from < 0 || to < 0 ? undefined : text.slice(from + BEGIN.length, to)
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const path = join(root, 'README.md')
  const readme = readFileSync(path, 'utf8')
  const there = inReadme(readme)
  const table = render(readTable())
  if (there === undefined) console.log(`${BEGIN}\n\n${table}\n${END}`)
  else
    writeFileSync(
      path,
      readme.replace(`${BEGIN}${there}`, () => `${BEGIN}\n\n${table}\n`),
    )
}
