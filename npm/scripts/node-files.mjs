// Files of tests, each under a `node --test` and in a process group of its own with a time limit: one
// that hangs is ended with all it started, says what was still alive, and takes no other file along.
import { availableParallelism } from 'node:os'
import { basename, relative } from 'node:path'
import { mark } from './node-reporter.mjs'
import { root } from './paths.mjs'
import { watch } from './run.mjs'
import { loud, note } from './say.mjs'
import * as tally from './tally.mjs'

const reporter = new URL('node-reporter.mjs', import.meta.url).href
/** A test may take two minutes, a file of them four. */
const flags = ['--test', '--test-timeout=120000', '--expose-gc', `--test-reporter=${reporter}`]
const fileMs = 240_000
/** Much of a test is waiting. */
const lanes = Math.min(5, availableParallelism() + 1)
/** More failures than this are no accident of a busy machine. */
const secondRuns = 5

async function run(program, file, env) {
  const began = performance.now()
  const result = await watch(program, [...flags, '--test-reporter-destination=stdout', file], {
    env,
    timeoutMs: fileMs,
    alone: true,
    show: () => undefined,
  })
  const row = { file, ...tally.node(result, mark), ms: performance.now() - began }
  const text = result.output.split('\n').filter(line => !line.startsWith(mark) && line !== '')
  const counted = [`${row.passed} passed`]
  if (row.failed > 0) counted.push(`${row.failed} failed`)
  if (row.skipped > 0) counted.push(`${row.skipped} skipped`)
  if (row.ms > 5_000) counted.push(`${(row.ms / 1000).toFixed(0)} s`)
  if (row.note) counted.push(row.note)
  const sign = row.failed > 0 ? '✖' : '✔'
  console.log([...text, `  ${sign} ${relative(root, file)}: ${counted.join(', ')}`].join('\n'))
  if (result.alive) console.log(`  alive at its end:\n${result.alive.replace(/^/gm, '    ')}`)
  return row
}

/**
 * Runs `files` with `program`. What fails among many is run once more when nothing else runs, and
 * said: a test that fails twice has failed, one that needed the second run is named in the result.
 */
export async function nodeFiles(program, files, env) {
  if (files.length === 0) return tally.nothing()
  const rows = new Map()
  const waiting = [...files]
  const lane = async () => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      rows.set(file, await run(program, file, env))
    }
  }
  await Promise.all(Array.from({ length: Math.min(lanes, files.length) }, lane))
  const failed = [...rows.values()].filter(row => row.failed > 0)
  const again = []
  if (failed.length <= secondRuns) {
    for (const { file } of failed) {
      note(`once more, with nothing beside it: ${relative(root, file)}`)
      const row = await run(program, file, env)
      rows.set(file, row)
      if (row.failed === 0) again.push(basename(file))
    }
  }
  const sum = key => [...rows.values()].reduce((total, row) => total + row[key], 0)
  const result = { passed: sum('passed'), failed: sum('failed'), skipped: sum('skipped') }
  if (again.length === 0) return result
  loud(`passed only in a second run: ${again.join(', ')}`)
  return { ...result, note: `second run: ${again.join(', ')}` }
}
