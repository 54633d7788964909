import { spawnSync } from 'node:child_process'
import { setTimeout as wait } from 'node:timers/promises'

/** Waits until `condition` holds, at most `ms`. */
export async function until(condition, ms = 3_000) {
  const end = performance.now() + ms
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`not within ${ms} ms: ${condition}`)
    await wait(5)
  }
}

/** Runs a CommonJS script beside the tests. */
export function inChild(script) {
  const began = performance.now()
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--input-type=commonjs', '-e', script],
    { cwd: import.meta.dirname, encoding: 'utf8', timeout: 60_000 },
  )
  return { status, ms: performance.now() - began, stdout: stdout.trim(), stderr: stderr.trim() }
}
