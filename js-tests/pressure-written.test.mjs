// The head of a refusal that is written beforehand: nobody may be able to tell it from one that Node
// writes, and where somebody else has a word in it Node writes it.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import http from 'node:http'
import { connect } from 'node:net'
import { afterEach, mock, test } from 'node:test'
import { PressureMonitor, pressureMiddleware } from 'seawall/pressure'

const closing = []
afterEach(() => {
  for (const server of closing.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

const BODY =
  '{"statusCode":503,"code":"SEAWALL_UNDER_PRESSURE","error":"Service Unavailable","message":"Service Unavailable"}'

/** A server that refuses everything, `before` having its word first. */
async function refusing({ before = () => {}, options = {}, server: more = {} } = {}) {
  const monitor = new PressureMonitor({ source: 'manual' })
  monitor.observe({ block: 300 })
  const shed = pressureMiddleware(monitor, options)
  const server = http.createServer((req, res) => {
    before(req, res)
    shed(req, res, () => res.end('served'))
  })
  Object.assign(server, more)
  closing.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server.address().port
}

/** All that is answered to some text; the last request has to end the connection. */
async function talk(port, text) {
  const socket = connect(port, '127.0.0.1')
  socket.setEncoding('utf8')
  let answer = ''
  socket.on('data', part => (answer += part))
  socket.write(text)
  await once(socket, 'close')
  return answer
}

const get = (...lines) => ['GET / HTTP/1.1', 'host: a', ...lines, '', ''].join('\r\n')
const LAST = get('connection: close')

test('kept connections are told so, and answered in the order of their requests', async () => {
  const seen = []
  const before = (_, res) => res.on('finish', () => seen.push([res.statusCode, res.headersSent]))
  const port = await refusing({ before, server: { keepAliveTimeout: 9_000 } })
  const head = 'HEAD / HTTP/1.1\r\nhost: a\r\n\r\n'
  const text = await talk(port, get() + head + get() + LAST)
  const [first, second, third, last, ...none] = text
    .split('HTTP/1.1 503 Service Unavailable\r\n')
    .slice(1)
  assert.deepEqual(none, [])
  for (const answer of [first, third]) assert.match(answer, /^Date: \w{3}, .* GMT\r$/m)
  const lines = first.split('\r\n')
  assert.deepEqual(lines.slice(0, 2), [
    'content-type: application/json; charset=utf-8',
    `content-length: ${BODY.length}`,
  ])
  assert.ok(lines.includes('Connection: keep-alive'))
  // As long as the server keeps it, which is shorter under pressure.
  assert.ok(lines.includes('Keep-Alive: timeout=3'), first)
  for (const full of [first, third, last]) assert.ok(full.endsWith(`\r\n\r\n${BODY}`), full)
  assert.ok(second.endsWith('\r\n\r\n'), second)
  assert.match(last, /^connection: close\r$/im)
  assert.deepEqual(seen, Array(4).fill([503, true]))
})

test('headers that were set before are sent with it', async () => {
  const port = await refusing({ before: (_, res) => res.setHeader('x-request-id', '7') })
  const text = await talk(port, get() + LAST)
  assert.equal(text.match(/^x-request-id: 7\r$/gm)?.length, 2, text)
  assert.equal(text.match(/^content-length: \d+\r$/gm)?.length, 2, text)
})

test('who has put another function in the place of writeHead is called', async () => {
  let called = 0
  const before = (_, res) => {
    const { writeHead } = res
    res.writeHead = (...args) => {
      called++
      res.setHeader('x-late', 'yes')
      return writeHead.apply(res, args)
    }
  }
  const text = await talk(await refusing({ before }), get() + LAST)
  assert.equal(called, 2)
  assert.equal(text.match(/^x-late: yes\r$/gm)?.length, 2, text)
})

test('old clients, and servers that count requests, have their connections closed as ever', async () => {
  const old = await talk(await refusing(), 'GET / HTTP/1.0\r\n\r\n')
  assert.match(old, /^HTTP\/1\.1 503 /)
  assert.match(old, /^connection: close\r$/im)
  const port = await refusing({ server: { maxRequestsPerSocket: 2 } })
  const text = await talk(port, get() + get())
  assert.equal(text.match(/HTTP\/1\.1 503 /g)?.length, 2, text)
  assert.match(text, /^Connection: close\r$/im)
})

test('who waits to be asked for a body is not left in doubt about the connection', async () => {
  const asks = [
    'POST / HTTP/1.1',
    'host: a',
    'content-length: 4',
    'expect: 100-continue',
    '',
    '',
  ].join('\r\n')
  // Node asks by itself where nobody listens for that.
  const asked = await refusing()
  const monitor = new PressureMonitor({ source: 'manual' })
  monitor.observe({ block: 300 })
  const shed = pressureMiddleware(monitor)
  const server = http.createServer()
  closing.push(server)
  // Nobody asks this one for its body: what follows on the connection could be that or a request.
  server.on('checkContinue', (req, res) => shed(req, res, () => res.writeContinue()))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const unasked = await talk(server.address().port, asks)
  assert.match(unasked, /^HTTP\/1\.1 503 /)
  assert.match(unasked, /^Connection: close\r$/im)
  const text = await talk(asked, `${asks}body${LAST}`)
  assert.match(text, /^HTTP\/1\.1 100 /)
  assert.equal(text.match(/HTTP\/1\.1 503 /g)?.length, 2, text)
})

for (const [owner, name] of [
  [http.ServerResponse, 'writeHead'],
  [http.OutgoingMessage, 'end'],
]) {
  test(`an agent that has wrapped ${name} for all answers sees refusals too`, async () => {
    const port = await refusing()
    const first = await talk(port, get() + LAST)
    const agent = mock.method(owner.prototype, name)
    try {
      const text = await talk(port, get() + LAST)
      const without = answer => answer.replaceAll(/^date: .*$/gim, '')
      assert.deepEqual(
        without(text).split('\r\n').toSorted(),
        without(first).split('\r\n').toSorted(),
      )
      assert.ok(agent.mock.callCount() >= 2, `${agent.mock.callCount()} calls`)
    } finally {
      agent.mock.restore()
    }
  })
}

test('an agent that was there before this package sees refusals too', async () => {
  const program = `
import http from 'node:http'
const { prototype } = http.ServerResponse
const { writeHead } = prototype
let calls = 0
prototype.writeHead = function (...args) {
  calls++
  return Reflect.apply(writeHead, this, args)
}
const { PressureMonitor, pressureMiddleware } = await import('seawall/pressure')
const monitor = new PressureMonitor({ source: 'manual' })
monitor.observe({ block: 300 })
const shed = pressureMiddleware(monitor)
const server = http.createServer((req, res) => shed(req, res, () => res.end()))
server.listen(0, '127.0.0.1', () => {
  const agent = new http.Agent({ keepAlive: true })
  http.get({ port: server.address().port, host: '127.0.0.1', agent }, res => {
    res.resume().on('end', () => {
      console.log(res.statusCode, calls)
      process.exit()
    })
  })
})`
  const args = ['--input-type=module', '-e', program]
  const { stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: import.meta.dirname,
    encoding: 'utf8',
    timeout: 60_000,
  })
  assert.equal(stdout.trim(), '503 1', stderr)
})
