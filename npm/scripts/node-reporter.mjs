// A reporter for `node --test` of one file: failures in full as they come, what was skipped, and a
// last line of numbers for the runner.
import { relative, resolve } from 'node:path'
import { inspect } from 'node:util'

/** What the last line begins with. */
export const mark = '#numbers '

const shown = file => relative(process.cwd(), file)

export default async function* report(events) {
  const total = { passed: 0, failed: 0, skipped: 0 }
  let printed = ''
  let told = false
  for await (const { type, data } of events) {
    if (type === 'test:stdout' || type === 'test:stderr') {
      printed += data.message
    } else if (type === 'test:pass' && data.skip !== undefined) {
      // The summary counts tests, and none of a suite that is skipped whole.
      if (data.details?.type === 'suite') total.skipped++
      yield `  skipped: ${data.name}${typeof data.skip === 'string' ? ` (${data.skip})` : ''}\n`
    } else if (type === 'test:fail' && data.todo !== undefined) {
      yield `  todo: ${data.name}${typeof data.todo === 'string' ? ` (${data.todo})` : ''}\n`
    } else if (type === 'test:fail') {
      // A file that breaks down as a whole is a test of its own name, which no summary of a file counts.
      const whole = data.nesting === 0 && resolve(data.name) === data.file
      if (whole) total.failed++
      else if (data.details?.error?.failureType === 'subtestsFailed') continue
      told = true
      const place = `${shown(data.file)}${data.line === undefined ? '' : `:${data.line}`}`
      yield `\n  ✖ ${whole ? 'the file broke down' : data.name}  (${place})\n`
      yield `${indent(inspect(data.details?.error?.cause ?? data.details?.error))}\n`
    } else if (type === 'test:summary' && data.file !== undefined) {
      const { passed, failed, cancelled, skipped, todo } = data.counts
      total.passed += passed
      total.failed += failed + cancelled
      total.skipped += skipped + todo
    }
  }
  if (told && printed !== '') yield `\n  printed by it:\n${indent(printed)}\n`
  yield `${mark}${JSON.stringify(total)}\n`
}

function indent(text) {
  return text.trimEnd().replace(/^/gm, '    ')
}
