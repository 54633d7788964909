// @ts-check
// Shutdown without threads: on the engine of WebAssembly, and in Deno.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

// Not the launcher beside it, which would get the signal and keep it.
const deno = join(import.meta.dirname, '../node_modules/deno/deno')
const service = join(import.meta.dirname, 'fixtures/lifecycle-service.mjs')

for (const [runtime, program, args] of /** @type {[string, string, string[]][]} */ ([
  ['Node without threads', process.execPath, []],
  ['Deno', deno, ['run', '-A']],
])) {
  test(`${runtime}: requests are finished, hooks run, the exit code tells`, {
    skip: existsSync(program) ? false : `${runtime} is not installed here`,
  }, async () => {
    const child = spawn(program, [...args, service], {
      cwd: import.meta.dirname,
      env: { ...process.env, SEAWALL_ENGINE: 'wasm' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const killer = setTimeout(() => child.kill('SIGKILL'), 40_000)
    const exit = new Promise(resolve => child.on('close', (...end) => resolve(end)))
    let [out, err] = ['', '']
    child.stdout.setEncoding('utf8').on('data', chunk => (out += chunk))
    child.stderr.setEncoding('utf8').on('data', chunk => (err += chunk))
    while (!/port \d+\n/.test(out) && child.exitCode === null) await sleep(5)
    const port = Number(/port (\d+)/.exec(out)?.[1])
    const ask = async (...parts) => {
      const socket = connect(port, '127.0.0.1')
      let text = ''
      socket.setEncoding('latin1').on('data', chunk => (text += chunk))
      const closed = new Promise(resolve => {
        socket.on('error', error => (text += error.message))
        socket.on('close', resolve)
      })
      for (const part of parts) {
        socket.write(part)
        await sleep(400)
      }
      await closed
      return text
    }
    // One is answered during the drain, the other has sent half of its head until well after it.
    const answers = [
      ask('GET /one HTTP/1.1\r\nHost: x\r\n\r\n'),
      ask('GET /two HT', 'TP/1.1\r\nHo', 'st: x\r\n\r\n'),
    ]
    await sleep(100)
    child.kill('SIGTERM')
    for (const text of await Promise.all(answers)) assert.match(text, /^HTTP\/1\.1 200.*served/s)
    assert.deepEqual(await exit, [1, null], err)
    clearTimeout(killer)
    const lines = out.split('\n').filter(line => line && !line.startsWith('port'))
    assert.deepEqual(lines, ['notReady', 'draining', 'hooks', 'pool', 'done'])
    assert.match(err, /hook 'bad' of queues failed: Error: will not/)
  })
}
