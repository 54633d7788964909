// What runners print, as numbers. Each answers { passed, failed, skipped, note }.

/** All `test result:` lines of `cargo test`. */
export function cargo({ ok, output }) {
  const sum = { passed: 0, failed: 0, skipped: 0 }
  const pattern = /^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored/gm
  for (const [, passed, failed, ignored] of output.matchAll(pattern)) {
    sum.passed += Number(passed)
    sum.failed += Number(failed)
    sum.skipped += Number(ignored)
  }
  return judged(sum, ok)
}

/** The `ok | 3 passed | 0 failed` line of `deno test`. */
export function deno({ ok, output }) {
  const sum = { passed: 0, failed: 0, skipped: 0 }
  const line = /^(?:ok|FAILED) \| (.+)$/m.exec(output)?.[1] ?? ''
  for (const [, number, what] of line.matchAll(/(\d+) (passed|failed|ignored)/g)) {
    sum[what === 'ignored' ? 'skipped' : what] += Number(number)
  }
  return judged(sum, ok)
}

/** The last line of `node-reporter.mjs`. */
export function node({ ok, output, timedOut }, mark) {
  const line = output.split('\n').findLast(line => line.startsWith(mark))
  if (line === undefined) {
    return { passed: 0, failed: 1, skipped: 0, note: timedOut ? 'did not end' : 'broke down' }
  }
  return judged(JSON.parse(line.slice(mark.length)), ok)
}

/** A runner for which there was nothing to run. */
export function nothing() {
  return judged({ passed: 0, failed: 0, skipped: 0 }, true)
}

/** One check that a command ended well. */
export function check({ ok }) {
  return { passed: ok ? 1 : 0, failed: ok ? 0 : 1, skipped: 0 }
}

/** The compiler's errors by file: a file with none has passed. */
export function tsc({ ok, output }, files) {
  const wrong = new Set(
    [...output.matchAll(/^(\S[^(]*)\(\d+,\d+\): error/gm)].map(([, file]) => file),
  )
  const failed = Math.min(wrong.size, files)
  return judged({ passed: files - failed, failed, skipped: 0 }, ok)
}

/** A runner that broke down or ran nothing has failed, whatever it counted. */
function judged(sum, ok) {
  if (!ok && sum.failed === 0) return { ...sum, failed: 1, note: sum.note ?? 'broke down' }
  if (sum.passed + sum.failed + sum.skipped === 0)
    return { ...sum, failed: 1, note: sum.note ?? 'ran no test' }
  return sum
}
