// @ts-check
// What a shutdown has to bear: hooks that fail in strange ways, others that start it too late or twice,
// pipes that nobody reads any more, servers that come when it is too late.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Lifecycle, ServerTracker } from 'seawall/lifecycle'
import { run } from './lifecycle-tools.mjs'

// A grace of 4 s leaves 2 s.
const GRACE = `graceMs: 4000, marginMs: 2000, hooksMs: 400, drainDelayMs: 0`
const DEADLINE = 2000

/** A lifecycle that ends nobody's process, and the code it would have ended with. */
function bystander() {
  const exit = Promise.withResolvers()
  const lines = []
  const log = (level, text) => lines.push(`${level}: ${text}`)
  const life = new Lifecycle({ exit: code => exit.resolve(code) })
  return { life, code: exit.promise, lines, options: { drainDelayMs: 0, signals: [], log } }
}

describe('hooks', () => {
  it('that fail with nothing at all have failed', async () => {
    const { life, code, lines, options } = bystander()
    const ends = []
    life.start(options)
    life.on('hook', ({ name, error }) => ends.push([name, error instanceof Error]))
    life.onShutdown('thrown', () => {
      throw undefined
    })
    life.onShutdown('rejected', () => Promise.reject())
    life.onShutdown('fine', () => undefined)
    await life.shutdown()
    assert.equal(await code, 1)
    assert.deepEqual(ends, [
      ['fine', false],
      ['rejected', true],
      ['thrown', true],
    ])
    assert.equal(lines.filter(line => line.startsWith('error: hook')).length, 2)
    life[Symbol.dispose]()
  })
})

describe('a start', () => {
  it('after the shutdown began leaves it on its way', async () => {
    const end = await run(
      `const life = lifecycle()
       life.onShutdown('pool', async () => { await wait(100); say('closed') })
       life.shutdown('by hand')
       setTimeout(() => { lifecycle({ ${GRACE} }); say(life.state.phase + ' ' + life.started) }, 30)`,
    )
    assert.deepEqual([end.code, end.signal], [0, null], end.stderr)
    assert.deepEqual(end.lines, ['hooks true', 'closed'])
  })

  it('after that still guards the end, and hears signals', async () => {
    const end = await run(
      `const life = lifecycle()
       life.onShutdown('hangs', never)
       life.shutdown('by hand')
       setTimeout(() => { lifecycle({ ${GRACE} }); say('started') }, 30)`,
      {
        started: async child => {
          for (let n = 0; n < 3; n++) {
            child.kill('SIGTERM')
            // Within 2 s the same signal would be ignored.
            child.kill('SIGINT')
            await sleep(50)
          }
        },
      },
    )
    // The hook has 5 s, unless a second signal shortens it; one that nobody heard would leave no code.
    assert.equal(end.code, 1, `${end.signal} ${end.stderr}`)
    assert.match(end.stderr, /again: at most 1\.0 s left/)
    assert.ok(end.ms < 4000, `after ${end.ms} ms`)
  })

  it('after it was disposed of is refused', () => {
    const { life, options } = bystander()
    life.start(options)
    life[Symbol.dispose]()
    assert.throws(() => life.start(options), { code: 'SEAWALL_DISPOSED' })
  })
})

describe('nobody reads', () => {
  it('stderr: an uncaught exception ends it in order all the same', async () => {
    const end = await run(
      `const life = lifecycle({ ${GRACE} })
       life.onShutdown('pool', async () => { await wait(100); say('closed') })
       say('ready')
       setTimeout(() => { throw new Error('late') }, 200)`,
      { ready: child => child.stderr?.destroy() },
    )
    assert.deepEqual([end.code, end.lines], [1, ['ready', 'closed']])
    assert.ok(end.ms < DEADLINE, `ended by its deadline, after ${end.ms} ms`)
  })

  it('stdout and stderr: hooks and listeners that print are no failures', async () => {
    const end = await run(
      `const life = lifecycle({ ${GRACE} })
       life.on('phase', ({ phase }) => console.log(phase))
       life.onShutdown('fails', () => { console.log('closing'); throw new Error('refused') })
       life.onShutdown('pool', async () => { for (let n = 0; n < 5; n++) { console.error(n); await wait(10) } })
       say('ready')
       setTimeout(() => process.kill(process.pid, 'SIGTERM'), 200)`,
      {
        ready: child => {
          child.stdout?.destroy()
          child.stderr?.destroy()
        },
      },
    )
    assert.equal(end.code, 1, 'the hook that failed')
    assert.ok(end.ms < DEADLINE, `ended by its deadline, after ${end.ms} ms`)
  })
})

describe('a server that listens', () => {
  const served = (_, response) => response.end('served')

  it('when its tracker has closed takes nobody', async () => {
    const server = createServer(served)
    const tracker = new ServerTracker(server)
    await tracker.close()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    assert.equal(server.listening, false)
  })

  it('while its tracker drains serves until that closes', async () => {
    const server = createServer(served)
    const tracker = new ServerTracker(server, { farewellMs: 50 })
    tracker.beginDrain(100)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
    const answer = await fetch(`http://127.0.0.1:${port}/`)
    assert.equal(await answer.text(), 'served')
    await tracker.close()
    const refused = await once(connect(port, '127.0.0.1'), 'connect').catch(error => error.code)
    assert.equal(refused, 'ECONNREFUSED')
  })

  it('again, for a tracker of its own, is not the business of one disposed of', async () => {
    const server = createServer(served)
    const tracker = new ServerTracker(server)
    await tracker.close()
    tracker[Symbol.dispose]()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    assert.equal(server.listening, true)
    server.close()
  })
})
