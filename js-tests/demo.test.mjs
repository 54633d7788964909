import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const main = fileURLToPath(new URL('../npm/demo/main.mjs', import.meta.url))

function run(t, ...args) {
  const folder = mkdtempSync(join(tmpdir(), 'seawall-test-'))
  const env = { ...process.env, TMPDIR: folder }
  const demo = spawn(process.execPath, [main, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  const more = text => {
    output += text
  }
  demo.stdout.setEncoding('utf8').on('data', more)
  demo.stderr.setEncoding('utf8').on('data', more)
  t.after(() => {
    demo.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
  })
  return {
    demo,
    output: () => output,
    left: () => readdirSync(folder),
    exit: once(demo, 'close'),
    async until(text) {
      while (!output.includes(text)) {
        assert.equal(demo.exitCode, null, `the demo ended before "${text}":\n${output}`)
        await sleep(20)
      }
    },
  }
}

function processes() {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,stat='], { encoding: 'utf8' }).trim()
  return lines.split('\n').map(line => {
    const [pid, parent, state] = line.trim().split(/\s+/)
    return { pid: Number(pid), parent: Number(parent), dead: state.startsWith('Z') }
  })
}

const childrenOf = parent =>
  processes()
    .filter(one => one.parent === parent)
    .map(one => one.pid)
const stillAlive = pids => processes().filter(one => pids.includes(one.pid) && !one.dead)

test('the demo ends with a table in which Seawall serves more and fails less', {
  timeout: 120_000,
}, async t => {
  const { exit, output, left } = run(t, '--seconds', '8', '--rate', '15', '--once')
  const [code] = await exit
  assert.equal(code, 0, output())
  const row = name => {
    const match = output().match(new RegExp(`^ +${name} +(\\S+) +(\\S+)$`, 'm'))
    assert.ok(match, `no row "${name}" in:\n${output()}`)
    return { without: match[1], seawall: match[2] }
  }
  const served = row('served')
  const failed = row('failed')
  assert.ok(Number(served.without) > 0, output())
  assert.ok(Number(served.seawall) >= Number(served.without), output())
  assert.ok(Number(failed.seawall) < Number(failed.without), output())
  assert.ok(Number(row('calls retried').seawall) > 0, output())
  assert.deepEqual(row('stock and orders agree'), { without: 'yes', seawall: 'yes' })
  assert.equal(row('confirmed, not in the database').seawall, '0')
  assert.match(output(), /breaker +closed -> open/)
  assert.match(output(), /chaos exit/)
  assert.deepEqual(left(), [], 'the temporary folder is removed')
})

test('Ctrl-C while the database is down ends everything at once', { timeout: 60_000 }, async t => {
  const { demo, exit, until, left } = run(t, '--seconds', '8', '--rate', '15', '--once')
  await until('database  down (SIGKILL)')
  const children = childrenOf(demo.pid)
  assert.ok(children.length > 0)
  const asked = performance.now()
  demo.kill('SIGINT')
  const [code] = await exit
  assert.equal(code, 130)
  assert.ok(performance.now() - asked < 4000)
  assert.deepEqual(stillAlive(children), [])
  assert.deepEqual(left(), [])
})

test('no child outlives a demo that was killed', { timeout: 60_000 }, async t => {
  const { demo, until } = run(t, '--seconds', '8', '--rate', '15', '--once')
  await until('SIGKILL to the database, restarted at once\n')
  await until('database  up again')
  const children = childrenOf(demo.pid)
  assert.equal(children.length, 2)
  demo.kill('SIGKILL')
  const deadline = performance.now() + 5000
  while (stillAlive(children).length > 0 && performance.now() < deadline) await sleep(50)
  assert.deepEqual(stillAlive(children), [])
})

test('an option out of its range is refused', async t => {
  const { exit, output, left } = run(t, '--seconds', '1')
  const [code] = await exit
  assert.equal(code, 2)
  assert.match(output(), /--seconds must be a number from 4 to 600, not "1"/)
  assert.deepEqual(left(), [])
})
