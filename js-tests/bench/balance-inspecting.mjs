// A balancer in JavaScript as they are written with Node alone: the primary of a cluster accepts, reads
// the head of the first request, chooses among the workers by what they said last, connects to the
// port of one, and pipes both ways.
import cluster from 'node:cluster'
import { connect, createServer } from 'node:net'

/** How long a head is waited for, and how long it may be. */
const WITHIN_MS = 10
const MOST_BYTES = 16_384
/** After how long without a word a worker is none to be chosen. */
const STALE_MS = 150_000

const end = Buffer.from('\r\n\r\n')

/** The first bytes of a client, as far as they come in time. */
function readHead(client) {
  return new Promise(resolve => {
    let bytes = Buffer.alloc(0)
    const done = () => {
      clearTimeout(late)
      client.off('data', add).off('end', done).off('close', done).off('error', done).pause()
      resolve(bytes)
    }
    const add = part => {
      bytes = Buffer.concat([bytes, part])
      if (bytes.length >= MOST_BYTES || bytes.includes(end)) done()
    }
    const late = setTimeout(done, WITHIN_MS).unref()
    client.on('data', add).once('end', done).once('close', done).once('error', done).resume()
  })
}

function parse(bytes, { remoteAddress, remotePort }) {
  const [first = '', ...lines] = bytes.toString('latin1').split('\r\n')
  const [method, path, version] = first.split(' ')
  const headers = {}
  for (const line of lines) {
    const at = line.indexOf(':')
    if (at > 0) headers[line.slice(0, at).trim().toLowerCase()] = line.slice(at + 1).trim()
  }
  return { method, path, version, headers, remoteAddress, remotePort }
}

/** Starts it at `port`, with a worker for each of `ports`. */
function balance(port, ports) {
  const backends = new Map()
  ports.forEach((to, index) => {
    const worker = cluster.fork({ INDEX: String(index) })
    worker.on('message', () => {
      backends.set(index, { index, to, ready: true, heardAt: Date.now(), connections: 0 })
    })
  })
  let turn = 0
  const choose = async request => {
    const now = Date.now()
    const candidates = [...backends.values()]
      .filter(({ ready }) => ready)
      .map(backend => ({ ...backend, healthy: now - backend.heardAt <= STALE_MS, request }))
      .filter(({ healthy }) => healthy)
    return candidates[turn++ % candidates.length]
  }
  const serve = async client => {
    const bytes = await readHead(client)
    const chosen = await choose(parse(bytes, client))
    const backend = backends.get(chosen.index)
    backend.connections++
    const worker = connect({ port: backend.to, host: '127.0.0.1', allowHalfOpen: true })
    const close = () => {
      client.destroy()
      worker.destroy()
    }
    worker.once('connect', () => {
      client.setNoDelay(true)
      worker.setNoDelay(true)
      worker.write(bytes)
      client.pipe(worker)
      worker.pipe(client)
    })
    worker.once('error', close).once('close', () => {
      backend.connections--
      client.destroy()
    })
    client.once('error', close).once('close', () => worker.destroy())
  }
  createServer({ allowHalfOpen: true }, client => {
    serve(client).catch(() => client.destroy())
  }).listen(port, '127.0.0.1')
}

/** In the primary the balancer, in a worker `app`. */
export function balanceWith(app, port, ports) {
  if (cluster.isPrimary) return balance(port, ports)
  app.listen(ports[Number(process.env.INDEX)], '127.0.0.1', () => process.send('ready'))
}
