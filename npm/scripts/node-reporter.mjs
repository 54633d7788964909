// A reporter for `node --test`: a line a file, failures in full, and a last line of numbers for the runner.
import { relative, resolve } from 'node:path'
import { inspect } from 'node:util'

/** What the last line begins with. */
export const mark = '#numbers '

const shown = file => relative(process.cwd(), file)

export default async function* report(events) {
  const total = { passed: 0, failed: 0, skipped: 0, files: [] }
  const printed = new Map()
  const failed = []
  for await (const { type, data } of events) {
    if (type === 'test:stdout' || type === 'test:stderr') {
      printed.set(data.file, (printed.get(data.file) ?? '') + data.message)
    } else if (type === 'test:pass' && data.skip !== undefined) {
      yield `  skipped: ${data.name}${typeof data.skip === 'string' ? ` (${data.skip})` : ''}\n`
    } else if (type === 'test:fail') {
      // A file that breaks down as a whole is a test of its own name, which no summary of a file counts.
      if (data.nesting === 0 && resolve(data.name) === data.file) total.failed++
      else if (data.details?.error?.failureType === 'subtestsFailed') continue
      failed.push(data)
    } else if (type === 'test:summary' && data.file !== undefined) {
      const { passed, failed, cancelled, skipped, todo } = data.counts
      total.passed += passed
      total.failed += failed + cancelled
      total.skipped += skipped + todo
      total.files.push(data.file)
      const sign = failed + cancelled > 0 ? '✖' : '✔'
      const numbers = [`${passed} passed`]
      if (failed + cancelled > 0) numbers.push(`${failed + cancelled} failed`)
      if (skipped + todo > 0) numbers.push(`${skipped + todo} skipped`)
      yield `  ${sign} ${shown(data.file)}: ${numbers.join(', ')}\n`
    }
  }
  for (const { name, file, line, details } of failed) {
    yield `\n  ✖ ${resolve(name) === file ? 'the file broke down' : name}  (${shown(file)}${line === undefined ? '' : `:${line}`})\n`
    yield `${indent(inspect(details?.error?.cause ?? details?.error))}\n`
  }
  for (const file of new Set(failed.map(({ file }) => file))) {
    if (printed.has(file)) yield `\n  printed by ${shown(file)}:\n${indent(printed.get(file))}\n`
  }
  yield `${mark}${JSON.stringify(total)}\n`
}

function indent(text) {
  return text.trimEnd().replace(/^/gm, '    ')
}
