// What is measured in balance.mjs: a server in one of several forms.
import cluster from 'node:cluster'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { connect, createServer as createProxy } from 'node:net'
import { startServer } from 'seawall/express'
import { balanceWith } from './balance-inspecting.mjs'

const { MODE, PORT, KEY, BACKENDS = '' } = process.env
const port = Number(PORT)
const small = Buffer.alloc(100, 'x')
const large = Buffer.alloc(100_000, 'x')
const answer = ({ url }, response) => response.end(url === '/large' ? large : small)
const certificate = () => ({
  key: readFileSync(`${KEY}/key.pem`),
  cert: readFileSync(`${KEY}/cert.pem`),
})
const app = KEY ? createSecureServer(certificate(), answer) : createServer(answer)

const logger = { debug() {}, info() {}, warn: console.error, error: console.error }

/** Goes by the server a TLS client asks for. */
const byName = ({ candidates, request }) => candidates[request.serverName === 'a.test' ? 0 : 1]

const options = { host: '127.0.0.1', port, workers: 2, logger }

if (['handoff', 'proxy', 'http'].includes(MODE)) await startServer(app, { ...options, mode: MODE })
else if (MODE === 'asking') await startServer(app, { ...options, loadBalancer: byName })
else if (MODE === 'backend') app.listen(port, '127.0.0.1')
else if (MODE === 'cluster') {
  if (cluster.isPrimary) for (let n = 0; n < 2; n++) cluster.fork()
  else app.listen(port, '127.0.0.1')
} else if (MODE === 'inspecting') {
  balanceWith(app, port, BACKENDS.split(',').map(Number))
} else if (MODE === 'javascript') {
  const ports = BACKENDS.split(',').map(Number)
  let next = 0
  createProxy({ allowHalfOpen: true }, client => {
    const worker = connect(ports[next++ % ports.length], '127.0.0.1')
    for (const socket of [client, worker]) {
      socket.setNoDelay(true)
      socket.on('error', () => {
        client.destroy()
        worker.destroy()
      })
    }
    client.pipe(worker)
    worker.pipe(client)
  }).listen(port, '127.0.0.1')
}
