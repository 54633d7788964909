// What is measured of real processes: blocked loops, full heaps, idle servers, load from outside.
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import http from 'node:http'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { engineKind } from 'seawall'
import { PressureMonitor, pressureMiddleware } from 'seawall/pressure'

const run = promisify(execFile)
const fixture = join(import.meta.dirname, 'fixtures/pressure-child.mjs')

async function child(scenario, options = {}, { flags = [], program = process.execPath } = {}) {
  const args = [...flags, fixture, scenario, JSON.stringify(options)]
  const { stdout } = await run(program, args, { timeout: 55_000, cwd: import.meta.dirname })
  return JSON.parse(stdout)
}

const long = process.env.SEAWALL_LONG === '1'
const SOURCES = ['pulse', 'auto']

for (const source of SOURCES) {
  test(`${source}: a stall trips as soon as it is over at the latest, and is over within a second`, async () => {
    const seen = await child('stall', { monitor: { source }, ms: 400 })
    assert.equal(seen.refused, 'block', JSON.stringify(seen))
    assert.ok(seen.trippedMs < 60, JSON.stringify(seen))
    assert.ok(seen.recoveredMs < 2_000, JSON.stringify(seen))
    assert.equal(seen.stalls.length, 1, JSON.stringify(seen))
    assert.ok(seen.stalls[0] > 250 && seen.stalls[0] < 2_000, JSON.stringify(seen))
  })

  test(`${source}: an idle process refuses nobody, at any interval and limit`, async () => {
    const off = { heap: false, memory: false, cpuStall: false, cpuThrottled: false }
    const intervals = source === 'pulse' ? [10, 40, 100, 500, 1_000] : [100]
    // One after the other: beside each other they would not be idle.
    for (const sampleIntervalMs of intervals) {
      const limits = { soft: 50, hard: 50 }
      const monitor = { source, sampleIntervalMs, delayMs: limits, blockMs: limits, ...off }
      const seen = await child('idle', { monitor, ms: 1_300 })
      assert.equal(seen.refusals, 0, JSON.stringify(seen))
      assert.ok(seen.samples > 0)
    }
  })

  test(`${source}: an idle process that others keep from the processor refuses nobody either`, async () => {
    const loop = 'const end = Date.now() + 20_000; while (Date.now() < end);'
    const others = [0, 1, 2, 3].map(() => spawn(process.execPath, ['-e', loop]))
    try {
      const off = { heap: false, memory: false, cpuStall: false, cpuThrottled: false }
      for (const sampleIntervalMs of source === 'pulse' ? [10, 100, 1_000] : [100]) {
        const limits = { soft: 50, hard: 50 }
        const of = { delayMs: limits, delayMaxMs: limits, blockMs: limits, ...off }
        const monitor = { source, sampleIntervalMs, ...of }
        const seen = await child('idle', { monitor, ms: source === 'pulse' ? 2_000 : 10_000 })
        assert.equal(seen.refusals, 0, JSON.stringify(seen))
      }
      const stall = await child('stall', { monitor: { source, sampleIntervalMs: 1_000 }, ms: 600 })
      assert.ok(
        stall.stalls.some(ms => ms >= 500),
        JSON.stringify(stall),
      )
    } finally {
      for (const other of others) other.kill('SIGKILL')
    }
  })

  test(`${source}: idle and then a burst trips, start-up work and then idle clears`, async () => {
    const monitor = { source, blockMs: false, delayMs: false, cpuStall: false, cpuThrottled: false }
    const burst = await child('burst', { monitor, ms: long ? 20_000 : 3_000 })
    assert.equal(burst.quiet, 'normal')
    assert.ok(burst.trippedMs < 2_000, JSON.stringify(burst))
    assert.equal(burst.signal, 'utilization')
    const startUp = await child('startUp', { monitor, ms: long ? 8_000 : 2_000 })
    assert.equal(startUp.busy, 1)
    assert.ok(startUp.clearedMs < 2_000, JSON.stringify(startUp))
  })

  test(`${source}: a full heap trips, and an emptied one clears`, async () => {
    const monitor = { source, blockMs: false, delayMs: false, utilization: false, cpuStall: false }
    Object.assign(monitor, { memory: false, cpuThrottled: false, memoryStall: false })
    monitor.heap = { soft: 0.6, hard: 0.8 }
    const flags = ['--max-old-space-size=120', '--expose-gc']
    const seen = await child('heap', { monitor }, { flags })
    assert.equal(seen.cause, 'heapUsed', JSON.stringify(seen))
    assert.ok(seen.clearedMs < 2_000, JSON.stringify(seen))
  })

  test(`${source}: after a soak counters are at zero, nothing is kept, the process ends`, async () => {
    const monitor = { source, utilization: { soft: 0.5, hard: 0.9 }, inFlight: { soft: 100 } }
    // Other processes of the machine may keep this one late for longer than the test waits.
    Object.assign(monitor, { delayMs: false, blockMs: false, cpuStall: false, memoryStall: false })
    monitor.inFlight.hard = 1_000
    const seen = await child(
      'soak',
      { monitor, ms: long ? 30_000 : 4_500 },
      { flags: ['--expose-gc'] },
    )
    const told = JSON.stringify(seen)
    assert.ok(seen.shed > 0, told)
    assert.deepEqual([seen.counted, seen.failed], [seen.shed, 0], told)
    assert.deepEqual([seen.inFlight, seen.level, seen.connections], [0, 'normal', 0], told)
    const [, second, third] = seen.heaps
    assert.ok(third - second < 1_000_000, told)
  })

  test(`${source}: it costs next to nothing while idle`, async () => {
    const { part } = await child('quiet', { monitor: { source }, ms: long ? 20_000 : 4_000 })
    // The whole process, which without a monitor is woken too; what the thread takes of it is measured
    // beside the other tests of the thread.
    assert.ok(part < 0.03, `${part}`)
  })

  test(`${source}: monitors keep no process alive`, async () => {
    const begun = performance.now()
    await child('exit', { monitor: { source } })
    assert.ok(performance.now() - begun < 10_000)
  })
}

test('the thread measures where there is one, monitors share a timer else', () => {
  const one = new PressureMonitor()
  const two = new PressureMonitor({ source: 'pulse' })
  try {
    assert.match(one.explain().source, engineKind() === 'native' ? /native|pulse/ : /pulse/)
    assert.equal(two.explain().source, 'pulse')
  } finally {
    one[Symbol.dispose]()
    two[Symbol.dispose]()
  }
})

for (const [name, program, flags] of [
  ['Bun', join(import.meta.dirname, '../node_modules/@oven/bun-linux-x64/bin/bun'), []],
  ['Deno', join(import.meta.dirname, '../node_modules/.bin/deno'), ['run', '-A']],
]) {
  test(`${name}: the timer sees a stall`, {
    skip: !existsSync(program) && 'not there',
  }, async () => {
    const seen = await child('stall', { monitor: {} }, { program, flags })
    assert.equal(seen.source, 'pulse')
    assert.equal(seen.refused, 'block', JSON.stringify(seen))
    assert.ok(seen.recoveredMs < 2_000, JSON.stringify(seen))
  })
}

test('load from another process: the less important is refused, counters go back to zero', async () => {
  const monitor = new PressureMonitor({
    source: 'pulse',
    utilization: { soft: 0.5, hard: 0.9 },
    inFlight: { soft: 100, hard: 1_000 },
  })
  const shed = pressureMiddleware(monitor, { priority: 'headers' })
  const server = http.createServer((req, res) =>
    shed(req, res, () => {
      const end = performance.now() + 3
      while (performance.now() < end);
      res.end('served')
    }),
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    const load = join(import.meta.dirname, 'fixtures/pressure-load.mjs')
    const url = `http://127.0.0.1:${server.address().port}`
    const { stdout } = await run(process.execPath, [load, url, '4000'], { timeout: 30_000 })
    const { low, high } = JSON.parse(stdout)
    const told = `${stdout} ${JSON.stringify(monitor.explain().shedBy)}`
    assert.ok(low.shed > 0, told)
    assert.equal(high.shed, 0, told)
    assert.equal(low.failed + high.failed, 0, told)
    assert.equal(monitor.explain().shed, low.shed + high.shed)
    for (let i = 0; i < 200 && (monitor.inFlight > 0 || monitor.level !== 'normal'); i++) {
      await new Promise(resolve => setTimeout(resolve, 20))
    }
    assert.deepEqual([monitor.inFlight, monitor.level], [0, 'normal'])
  } finally {
    monitor[Symbol.dispose]()
    server.closeAllConnections()
    server.close()
  }
})
