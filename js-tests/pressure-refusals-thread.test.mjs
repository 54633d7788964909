// A server of a worker_thread whose connections a native thread takes: what becomes of them when the
// thread is ended while its JavaScript is blocked.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { connect } from 'node:net'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { engineKind } from 'seawall'

const isThere = engineKind() === 'native' && process.platform === 'linux'
const skip = isThere ? false : 'needs the native engine and /proc'
const CLIENTS = 20

/** A thread that listens, says where, and from then on does nothing else than being blocked. */
const PROGRAM = `
import { createServer } from 'node:http'
import { parentPort } from 'node:worker_threads'
import { PressureMonitor, refuseNatively } from 'seawall/pressure'

const monitor = new PressureMonitor({ source: 'manual' })
const server = createServer((_, res) => res.end('served'))
refuseNatively(server, monitor)
server.listen(0, '127.0.0.1', () => {
  for (let i = 0; i < 2; i++) monitor.observe({ block: 300 })
  setTimeout(() => {
    parentPort.postMessage(server.address().port)
    for (;;);
  }, 50)
})
`

const descriptors = () => readdirSync('/proc/self/fd').length

/** Until something holds; a test that waits in vain is ended by its time limit. */
async function until(holds) {
  while (!holds()) await sleep(5)
}

test('a thread that ends leaves no connection behind that it was given', { skip }, async () => {
  const before = descriptors()
  const worker = new Worker(PROGRAM, { eval: true, type: 'module' })
  const [port] = await once(worker, 'message')
  // What is exempt is JavaScript's, which does not come to it.
  const clients = Array.from({ length: CLIENTS }, () => connect(port, '127.0.0.1'))
  const closed = clients.map(client => {
    client.on('error', () => {})
    client.resume().write('GET /livez HTTP/1.1\r\nhost: a\r\n\r\n')
    return once(client, 'close')
  })
  // Both ends of each are here.
  await until(() => descriptors() >= before + 2 * CLIENTS)
  await sleep(100)
  for (const client of clients) assert.equal(client.destroyed, false)
  await worker.terminate()
  await Promise.all(closed)
  await until(() => descriptors() <= before)
})
