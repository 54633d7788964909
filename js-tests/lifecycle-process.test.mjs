// @ts-check
// Shutdown in processes of their own, with real signals: that each is gone when it should be, with
// the exit code and the words it should have.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { describe, it } from 'node:test'
import { engineKind } from 'seawall'
import { onTime, run } from './lifecycle-tools.mjs'

const native = engineKind() === 'native' && process.platform !== 'win32'
const threads = native ? false : 'only threads of the native engine can do this'

// A grace of 2 s leaves 1 s.
const GRACE = `graceMs: 2000, hooksMs: 400`

describe('in order', () => {
  for (const signal of /** @type {NodeJS.Signals[]} */ (['SIGTERM', 'SIGINT'])) {
    it(`${signal}: hooks by phase, the last registered first, and exit code 0`, async () => {
      const end = await run(
        `const life = lifecycle({ ${GRACE} })
         for (const phase of ['logs', 'db', 'http', 'queues', 'workers']) {
           life.onShutdown(phase + 1, ({ reason }) => say(phase + ' 1 ' + reason), { phase })
           life.onShutdown(phase + 2, () => say(phase + ' 2'), { phase })
         }
         say('ready')`,
        { ready: signal },
      )
      assert.deepEqual([end.code, end.signal, end.stderr], [0, null, ''])
      const order = ['http', 'workers', 'queues', 'db', 'logs']
      assert.deepEqual(end.lines, [
        'ready',
        ...order.flatMap(phase => [`${phase} 2`, `${phase} 1 ${signal}`]),
      ])
    })
  }

  it('a hook that throws skips none, and is the exit code', async () => {
    const end = await run(
      `const life = lifecycle({ ${GRACE} })
       life.onShutdown('good', () => say('good'), { phase: 'logs' })
       life.onShutdown('bad', () => { throw new Error('will not') }, { phase: 'http' })
       life.onShutdown('worse', async () => { throw undefined }, { phase: 'http' })
       say('ready')`,
      { ready: 'SIGTERM' },
    )
    assert.deepEqual([end.code, end.lines], [1, ['ready', 'good']])
    assert.match(end.stderr, /hook 'bad' of http failed: Error: will not/)
  })

  it('a hook that hangs is aborted, and skips none', async () => {
    const end = await run(
      `const life = lifecycle({ ${GRACE} })
       life.onShutdown('good', () => say('good'), { phase: 'logs' })
       life.onShutdown('hangs', ({ signal }) => new Promise(() => {
         signal.addEventListener('abort', () => say('aborted ' + signal.reason.code))
       }), { phase: 'db', timeoutMs: 150 })
       say('ready')`,
      { ready: 'SIGTERM' },
    )
    assert.deepEqual([end.code, end.lines], [1, ['ready', 'aborted SEAWALL_TIMEOUT', 'good']])
    assert.match(end.stderr, /hook 'hangs' of db failed: TimeoutError: it took longer than 150 ms/)
  })

  it('an idle process is not kept alive by a started lifecycle, and is while it ends', async () => {
    const idle = spawn(
      process.execPath,
      ['--input-type=module', '-e', `import { lifecycle } from 'seawall/lifecycle'; lifecycle({})`],
      { cwd: import.meta.dirname, stdio: 'inherit' },
    )
    assert.equal(await new Promise(resolve => idle.on('close', resolve)), 0)
    const end = await run(
      `for (const timer of process.getActiveResourcesInfo()) if (timer !== 'Timeout') say(timer)
       const life = lifecycle({ graceMs: 4000, marginMs: 100, drainDelayMs: 300 })
       life.on('done', () => say('done'))
       clearInterval(1)
       life.shutdown('by hand')`,
    )
    assert.equal(end.code, 0)
    assert.ok(end.lines.includes('done'))
  })
})

describe('the deadline', () => {
  it('holds with JavaScript in an endless loop before the signal', { skip: threads }, async () => {
    const end = await run(`lifecycle({ ${GRACE} }); say('ready'); spin()`, { ready: 'SIGTERM' })
    assert.equal(end.code, 75)
    onTime(end.ms, 1000)
    assert.match(end.stderr, /the deadline has come in phase 'notReady': ends with exit code 75/)
    assert.match(end.stderr, /JavaScript has not run since the shutdown began/)
  })

  it('holds with a hook in an endless loop, which is named', { skip: threads }, async () => {
    const end = await run(
      `const life = lifecycle({ ${GRACE} })
       life.onShutdown('pool', spin, { phase: 'db' })
       life.onShutdown('telemetry', () => say('never'), { phase: 'logs' })
       life.add({ name: 'api', beginDrain() {}, close: never, force() {},
         report: () => ({ connections: 1, inFlight: [{ what: 'GET /slow', ageMs: 5000 }] }) })
       say('ready')`,
      { ready: 'SIGTERM' },
    )
    assert.deepEqual([end.code, end.lines], [75, ['ready']])
    onTime(end.ms, 1000)
    assert.match(end.stderr, /cut off after \d\.\d s: GET \/slow \(api\)/)
    assert.match(end.stderr, /phase 'hooks'/)
    assert.match(end.stderr, /alive: hook 'pool' of db, for 0\.\d s/)
    assert.match(end.stderr, /alive: hook 'telemetry' of logs waits/)
  })

  it('holds with an exit listener that never returns', { skip: threads }, async () => {
    const end = await run(
      `lifecycle({ ${GRACE} }); process.on('exit', () => { say('exit'); spin() }); say('ready')`,
      { ready: 'SIGTERM' },
    )
    assert.deepEqual([end.code, end.lines], [75, ['ready', 'exit']])
    onTime(end.ms, 1000)
  })

  it('is kept within 100 ms', { skip: threads }, async t => {
    // The best of some: the machine may have much else to do, and then nothing is on time.
    const late = []
    for (let i = 0; i < 5 && !(Math.min(...late) < 60); i++) {
      const end = await run(`lifecycle({ ${GRACE} }); say('ready'); spin()`, { ready: 'SIGTERM' })
      assert.equal(end.code, 75)
      late.push(end.ms - 1000)
    }
    t.diagnostic(`late by ${late.map(ms => ms.toFixed(0))} ms`)
    assert.ok(Math.min(...late) > -50 && Math.min(...late) < 60, `${late}`)
  })

  it('holds although nobody reads stderr', { skip: threads }, async () => {
    const script = `
      import { lifecycle } from 'seawall/lifecycle'
      import { writeSync } from 'node:fs'
      lifecycle({ ${GRACE} })
      writeSync(1, 'ready')
      // Fills the pipe: this blocks for good.
      for (;;) writeSync(2, 'x'.repeat(4096))`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      cwd: import.meta.dirname,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const killer = setTimeout(() => child.kill('SIGKILL'), 30_000)
    await new Promise(resolve => child.stdout.once('data', resolve))
    const began = performance.now()
    child.kill('SIGTERM')
    const end = await new Promise(resolve => child.on('exit', (...end) => resolve(end)))
    clearTimeout(killer)
    assert.deepEqual(end, [75, null])
    onTime(performance.now() - began, 1000)
  })

  it('a request that does not end is cut off in time for the hooks', async () => {
    const end = await run(
      `const life = lifecycle({ ${GRACE} })
       life.add({ name: 'api', beginDrain: ms => say('drain ' + (ms > 0)), close: never, force: () => say('force'),
         report: () => ({ connections: 1, inFlight: [{ what: 'GET /slow', ageMs: 1 }] }) })
       life.onShutdown('pool', () => say('pool'), { phase: 'db' })
       say('ready')`,
      { ready: 'SIGTERM' },
    )
    assert.deepEqual([end.code, end.lines], [75, ['ready', 'drain true', 'force', 'pool']])
    onTime(end.ms, 600)
  })
})

describe('signals', () => {
  it('SIGINT twice within 2 s is one', async () => {
    const end = await run(
      `const life = lifecycle({ ${GRACE} })
       life.on('signal', ({ signal, meaning }) => {
         say(signal + ' ' + meaning)
         if (meaning === 'first') setTimeout(() => say('again'), 20)
       })
       life.onShutdown('slow', () => wait(300), { timeoutMs: 350 })
       say('ready')`,
      { ready: 'SIGINT', again: 'SIGINT' },
    )
    assert.deepEqual([end.code, end.stderr], [0, ''])
    assert.deepEqual(end.lines, ['ready', 'SIGINT first', 'again', 'SIGINT ignored'])
  })

  it('a second one shortens the deadline, also of a blocked process', {
    skip: threads,
  }, async () => {
    const end = await run(
      `lifecycle({ graceMs: 20_000, repeatWithinMs: 0, shortenedMs: 500 })
       process.on('SIGTERM', () => { say('again'); spin() })
       say('ready')`,
      { ready: 'SIGTERM', again: 'SIGTERM' },
    )
    assert.equal(end.code, 75)
    onTime(end.ms, 500)
  })

  it('the report names the last route, if JavaScript was blocked before the signal', {
    skip: threads,
  }, async () => {
    const end = await run(
      `const { PressureMonitor } = await import('seawall/pressure')
       const monitor = new PressureMonitor()
       lifecycle({ ${GRACE} })
       await wait(100)
       monitor.enter('POST /import')
       say('ready')
       spin()`,
      { ready: 'SIGTERM' },
    )
    assert.equal(end.code, 75)
    assert.match(end.stderr, /the last route entered: POST \/import/)
  })

  it('a second one leaves a share of what is left to each of the hooks', async () => {
    const end = await run(
      `const life = lifecycle({ graceMs: 20_000, repeatWithinMs: 0, shortenedMs: 1500 })
       life.onShutdown('hangs', () => { say('again'); return never() }, { phase: 'queues', timeoutMs: 10_000 })
       life.onShutdown('pool', () => say('pool'), { phase: 'db' })
       life.onShutdown('telemetry', () => say('telemetry'), { phase: 'logs' })
       say('ready')`,
      { ready: 'SIGTERM', again: 'SIGTERM' },
    )
    assert.deepEqual([end.code, end.lines], [1, ['ready', 'again', 'pool', 'telemetry']])
    assert.match(
      end.stderr,
      /hook 'hangs' of queues failed: TimeoutError: it took longer than \d+ ms/,
    )
    assert.ok(end.ms < 3000, `${end.ms}`)
  })

  it('one that comes before the servers listen ends it all the same', async () => {
    const end = await run(
      `import { createServer } from 'node:http'
       import { ServerTracker } from 'seawall/lifecycle'
       const server = createServer()
       const life = lifecycle({ ${GRACE}, drainDelayMs: 200 })
       life.add(new ServerTracker(server))
       life.onShutdown('pool', () => say('pool ' + server.listening))
       life.on('notReady', () => server.listen(0, '127.0.0.1'))
       say('ready')`,
      { ready: 'SIGTERM' },
    )
    assert.deepEqual([end.code, end.lines], [0, ['ready', 'pool false']])
  })

  it('a third one ends it at once, with the code of the signal', async () => {
    const end = await run(
      `const life = lifecycle({ graceMs: 20_000, shortenedMs: 10_000 })
       life.on('signal', ({ meaning }) => say(meaning))
       life.onShutdown('hangs', never)
       say('ready')`,
      { ready: 'SIGINT', first: 'SIGTERM', hastened: 'SIGHUP' },
    )
    // SIGHUP is none of those listened to.
    assert.equal(end.signal, 'SIGHUP')
    const three = await run(
      `const life = lifecycle({ graceMs: 20_000, shortenedMs: 10_000, signals: ['SIGINT', 'SIGTERM', 'SIGHUP'] })
       life.on('signal', ({ meaning }) => say(meaning))
       life.onShutdown('hangs', never)
       say('ready')`,
      { ready: 'SIGINT', first: 'SIGTERM', hastened: 'SIGHUP' },
    )
    assert.equal(three.code, 129)
    assert.match(three.stderr, /a third signal has come: ends with exit code 129/)
    assert.match(three.stderr, /alive: hook 'hangs' of workers/)
    assert.ok(three.ms < 8000)
  })

  const listeners = {
    'added before': [`process.on('SIGTERM', user); life()`, 1],
    'added after': [`life(); process.on('SIGTERM', user)`, 1],
    'added by once': [`life(); process.once('SIGTERM', user)`, 1],
    removed: [`process.on('SIGTERM', user); life(); process.off('SIGTERM', user)`, 0],
    'added and removed while it runs': [
      `life(); process.on('SIGTERM', user); process.off('SIGTERM', user); process.on('SIGTERM', user)`,
      1,
    ],
  }
  for (const [what, [script, times]] of Object.entries(listeners)) {
    it(`listeners of the user's, ${what}, are called ${times} times`, async () => {
      const end = await run(
        `const user = () => say('user')
         const life = () => lifecycle({ ${GRACE} }).onShutdown('hook', () => say('hook'))
         ${script}
         say('ready')`,
        { ready: 'SIGTERM' },
      )
      assert.equal(end.code, 0)
      assert.deepEqual(end.lines, ['ready', ...Array(times).fill('user'), 'hook'])
    })
  }

  it('removeAllListeners takes nothing from a started lifecycle', { skip: threads }, async () => {
    const end = await run(
      `process.on('SIGTERM', () => say('user'))
       lifecycle({ ${GRACE} }).onShutdown('hook', () => say('hook'))
       process.removeAllListeners('SIGTERM')
       say('ready')`,
      { ready: 'SIGTERM' },
    )
    assert.deepEqual([end.code, end.lines], [0, ['ready', 'hook']])
  })

  it('a lifecycle that is not started, or disposed of, changes nothing', async () => {
    for (const script of [`lifecycle()`, `lifecycle({})[Symbol.dispose]()`]) {
      const end = await run(`${script}; setTimeout(() => say('ready'), 50)`, { ready: 'SIGTERM' })
      assert.equal(end.signal, 'SIGTERM', script)
    }
  })

  it('child processes die of a signal as ever', async () => {
    const end = await run(
      `import { spawn } from 'node:child_process'
       lifecycle({ ${GRACE} })
       const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000); console.log(1)'])
       child.stdout.once('data', () => child.kill('SIGTERM'))
       child.on('close', (code, signal) => { say(code + ' ' + signal); process.exit(0) })`,
    )
    assert.deepEqual(end.lines, ['null SIGTERM'])
  })

  it('a native crash still ends it at once', { skip: process.platform === 'win32' }, async () => {
    const end = await run(
      `lifecycle({ graceMs: 20_000 }); say('ready'); process.kill(process.pid, 'SIGSEGV')`,
    )
    assert.equal(end.signal, 'SIGSEGV')
  })
})

describe('somebody else', () => {
  it('calls process.exit() in a hook: that holds, and is said', async () => {
    const end = await run(
      `const life = lifecycle({ ${GRACE} })
       life.onShutdown('rude', () => process.exit(3), { phase: 'http' })
       life.onShutdown('pool', () => say('never'), { phase: 'db' })
       say('ready')`,
      { ready: 'SIGTERM' },
    )
    assert.deepEqual([end.code, end.lines], [3, ['ready']])
    assert.match(
      end.stderr,
      /process\.exit\(\) was called in phase 'hooks': ends with exit code 3; not finished: .*'rude' of http.*'pool' of db waits/,
    )
  })

  it('calls process.exit() on the same signal', async () => {
    const end = await run(
      `lifecycle({ ${GRACE}, drainDelayMs: 100 })
       process.on('SIGTERM', () => setTimeout(() => process.exit(0), 20))
       say('ready')`,
      { ready: 'SIGTERM' },
    )
    assert.equal(end.code, 0)
    assert.match(end.stderr, /process\.exit\(\) was called in phase 'notReady'/)
  })

  it('a worker has a lifecycle of its own, which ends the worker alone', async () => {
    const end = await run(
      `import { Worker } from 'node:worker_threads'
       const life = lifecycle({ ${GRACE} })
       life.onShutdown('main', () => say('main'))
       const worker = new Worker(\`
         import { parentPort } from 'node:worker_threads'
         import { writeSync } from 'node:fs'
         import { lifecycle } from 'seawall/lifecycle'
         const life = lifecycle({ ${GRACE} })
         life.onShutdown('inner', () => writeSync(1, 'inner\\\\n'))
         parentPort.on('message', () => life.shutdown('asked'))\`, { eval: true })
       worker.postMessage('end')
       worker.on('exit', code => { say('worker ' + code + ' ' + life.phase + ' ' + life.state.native.deadline) })`,
      { 'worker 0 running true': 'SIGTERM', 'worker 0 running false': 'SIGTERM' },
    )
    assert.deepEqual([end.code, end.signal, end.stderr], [0, null, ''])
    assert.deepEqual(end.lines, ['inner', `worker 0 running ${native}`, 'main'])
  })

  it('what a hook wrote to a pipe is all there', async () => {
    const end = await run(
      `const life = lifecycle({ ${GRACE} })
       life.onShutdown('logs', () => { process.stdout.write('x'.repeat(1_000_000) + '\\nwhole\\n') })
       say('ready')`,
      { ready: 'SIGTERM' },
    )
    assert.equal(end.code, 0)
    assert.deepEqual([end.lines[1]?.length, end.lines[2]], [1_000_000, 'whole'])
  })
})

describe('one for all', () => {
  it('two copies of the package share one, and both finish', async () => {
    const end = await run(
      `const other = await import('seawall/lifecycle?copy')
       const path = import.meta.resolve('seawall/lifecycle')
       const copy = await import(path + '?second')
       if (copy.lifecycle === lifecycle) throw new Error('the same module twice')
       lifecycle({ ${GRACE} }).onShutdown('one', async () => { await wait(50); say('one') })
       copy.lifecycle({ signals: ['SIGUSR2'] }).onShutdown('two', async () => { await wait(50); say('two') })
       if (copy.lifecycle() !== lifecycle()) throw new Error('two lifecycles')
       say('ready')`.replace(/.*\?copy.*\n/, ''),
      { ready: 'SIGUSR2' },
    )
    assert.deepEqual([end.code, end.lines], [0, ['ready', 'two', 'one']])
  })

  it('databases of seawall/kysely are closed in their turn, once', async () => {
    const end = await run(
      `import { registerShutdownHandlers, createShutdownController } from 'seawall/kysely'
       const logger = { info: text => say(text), error: say, warn: say }
       const db = name => ({ destroy: async () => { await wait(30); say('closed ' + name) } })
       registerShutdownHandlers(db('a'), { logger })
       const life = lifecycle({ ${GRACE} })
       createShutdownController(db('b'), { logger, timeout: 300 }).registerSignals()
       let left = 1
       life.add({ name: 'api', beginDrain() {}, force() {}, report: () => ({ connections: left, inFlight: [] }),
         close: async () => { await wait(100); left = 0; say('drained') } })
       life.onShutdown('logs', () => say('logs'), { phase: 'logs' })
       say('ready')`,
      { ready: 'SIGTERM' },
    )
    assert.deepEqual([end.code, end.stderr], [0, ''])
    assert.deepEqual(end.lines, [
      'ready',
      'drained',
      'Received SIGTERM, starting graceful shutdown...',
      'closed b',
      'Database connections closed successfully',
      'Received SIGTERM, starting graceful shutdown...',
      'closed a',
      'Database connections closed successfully',
      'logs',
    ])
  })
})

describe('process death', () => {
  it('an uncaught exception drains, after the reporter, and exits with 1', async () => {
    const end = await run(
      `const life = lifecycle({ ${GRACE}, reporter: async (error, origin) => { await wait(100); say(origin + ' ' + error.message) } })
       life.onShutdown('pool', () => say('pool ' + life.ready()))
       setTimeout(() => { throw new Error('nobody caught this') })`,
    )
    assert.equal(end.code, 1)
    assert.deepEqual(end.lines.toSorted(), ['pool false', 'uncaughtException nobody caught this'])
    assert.match(end.stderr, /^seawall: uncaught exception: Error: nobody caught this\n {4}at /)
  })

  it('an unhandled rejection does the same, or is a warning', async () => {
    const end = await run(
      `lifecycle({ ${GRACE} }); Promise.reject(new Error('nobody handled this'))`,
    )
    assert.equal(end.code, 1)
    assert.match(end.stderr, /^seawall: unhandled rejection: Error: nobody handled this/)
    const warned = await run(
      `lifecycle({ ${GRACE}, unhandledRejection: 'warn' }); Promise.reject(new Error('no matter'))
       setTimeout(() => process.exit(7), 50)`,
    )
    assert.equal(warned.code, 7)
    assert.match(warned.stderr, /no matter/)
  })

  it('a reporter that hangs is given up', async () => {
    const end = await run(
      `lifecycle({ ${GRACE}, reporter: never, reporterTimeoutMs: 100 })
       setTimeout(() => { throw new Error('x') })`,
    )
    assert.equal(end.code, 1)
    assert.match(end.stderr, /the reporter took longer than 100 ms/)
  })

  it('`exit` ends it without hooks, after the reporter', async () => {
    const end = await run(
      `lifecycle({ ${GRACE}, uncaughtException: 'exit', reporter: async () => { await wait(50); say('told') } })
         .onShutdown('hook', () => say('hook'))
       setTimeout(() => { throw new Error('x') })`,
    )
    assert.deepEqual([end.code, end.lines], [1, ['told']])
  })

  it('a port in use is named, at once, whatever the drain delay', async () => {
    const end = await run(
      `import { createServer } from 'node:http'
       const life = lifecycle({ graceMs: 30_000, drainDelayMs: 20_000 })
       life.on('exit', () => say(String(life.live())))
       const first = createServer().listen(0, '127.0.0.1', () => {
         say('ready')
         createServer().listen(first.address().port, '127.0.0.1')
       })`,
      { ready: 'SIGCONT' },
    )
    assert.equal(end.code, 1)
    assert.match(
      end.stderr,
      /^seawall: port \d+ of 127\.0\.0\.1 is in use already \(EADDRINUSE\): /,
    )
    assert.deepEqual(end.lines, ['ready', 'false'])
    assert.ok(end.ms < 10_000)
  })
})

describe('the budget', () => {
  it('that does not fit is a warning with numbers', async () => {
    const end = await run(
      `const life = lifecycle({ graceMs: 10_000, drainDelayMs: 5000, longestRequestMs: 4000 })
       life.onShutdown('long', () => {}, { timeoutMs: 6000 })
       setTimeout(() => process.exit(0), 20)`,
    )
    assert.match(
      end.stderr,
      /may need 16\.0 s \(delay 5\.0 s, longest request 4\.0 s, hooks 5\.0 s, 2\.0 s to spare\), and the grace period is 10\.0 s/,
    )
    assert.match(end.stderr, /may need 17\.0 s .*hooks 6\.0 s/)
  })
})
