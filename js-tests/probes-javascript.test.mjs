// The probe server in JavaScript: what others left at its place, and errors after it listens.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { startProbeServer } from 'seawall/health'

const unix = process.platform === 'win32' ? 'needs socket files' : false
const kind = 'javascript'

/** A path in a folder of its own. */
function place(t) {
  const folder = mkdtempSync(join(tmpdir(), 'probes-'))
  t.after(() => rmSync(folder, { recursive: true }))
  return join(folder, 'probe.sock')
}

async function status(where) {
  const request = http.get({ ...where, path: '/livez', agent: false })
  const [response] = await once(request, 'response')
  response.resume()
  await once(response, 'end')
  return response.statusCode
}

test('a socket file of a process that was killed is replaced', { skip: unix }, async t => {
  const socketPath = place(t)
  spawnSync(process.execPath, [
    '-e',
    `require('net').createServer().listen(${JSON.stringify(socketPath)}, () => process.kill(process.pid, 'SIGKILL'))`,
  ])
  assert.ok(existsSync(socketPath))
  const server = await startProbeServer({ socketPath, kind })
  assert.equal(await status({ socketPath }), 200)
  await server.close()
  assert.equal(existsSync(socketPath), false)
})

test('a socket on which somebody listens, and what is no socket, stay', { skip: unix }, async t => {
  const socketPath = place(t)
  const taken = { code: 'SEAWALL_LISTEN', message: /something else listens there \(EADDRINUSE\)/ }
  const other = createServer(socket => socket.resume())
  other.listen(socketPath)
  await once(other, 'listening')
  await assert.rejects(startProbeServer({ socketPath, kind }), taken)
  assert.ok(existsSync(socketPath))
  assert.equal(other.listening, true)
  await new Promise(resolve => other.close(resolve))

  writeFileSync(socketPath, 'a file')
  await assert.rejects(startProbeServer({ socketPath, kind }), taken)
  assert.ok(existsSync(socketPath))
})

test('an error while it listens is reported, and it goes on', async t => {
  const warnings = []
  const note = warning => warnings.push(warning.message)
  process.on('warning', note)
  t.after(() => process.off('warning', note))
  const making = t.mock.method(http, 'createServer')
  const probes = await startProbeServer({ port: 0, host: '127.0.0.1', kind })
  t.after(() => probes.close())
  const [{ result: server }] = making.mock.calls
  making.mock.restore()
  const { port } = probes.address()
  const where = { host: '127.0.0.1', port }
  assert.equal(await status(where), 200)
  for (const message of ['accept EMFILE', 'accept ENFILE']) {
    server.emit('error', new Error(message))
    assert.equal(await status(where), 200)
  }
  assert.equal(warnings.length, 2)
  assert.match(warnings[0], /startProbeServer.* threw: Error: accept EMFILE/)
})
