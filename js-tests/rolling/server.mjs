// A service as it runs in a cluster: HTTP/1 with WebSockets and event streams, HTTP/2 beside it.
// It notes each request in a file as it begins and as it is answered, so that whoever started it
// can tell, whatever becomes of it, which requests reached it.
import { openSync, writeSync } from 'node:fs'
import http from 'node:http'
import http2 from 'node:http2'
import { setTimeout as sleep } from 'node:timers/promises'
import { lifecycle, ServerTracker } from 'seawall/lifecycle'
import { WebSocketServer } from 'ws'

const [, , log, windowMs, graceMs] = process.argv
const file = openSync(log, 'a')
const note = (what, id) => writeSync(file, `${what} ${id}\n`)

async function answer(request, response) {
  const url = new URL(request.url, 'http://x')
  if (url.pathname === '/events') {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const beat = setInterval(() => response.write('data: beat\n\n'), 50)
    response.on('close', () => clearInterval(beat))
    return
  }
  const id = url.searchParams.get('id')
  note('begun', id)
  response.on('finish', () => note('answered', id))
  let length = 0
  for await (const chunk of request) length += chunk.length
  await sleep(Number(url.searchParams.get('ms')))
  response.setHeader('content-type', 'text/plain')
  response.end(`${id}:${length}:${'x'.repeat(2000)}`)
}

const handler = (request, response) => {
  // A client that went away is noted by what was not answered.
  answer(request, response).catch(() => {})
}
const one = http.createServer({ keepAliveTimeout: 60_000 }, handler)
const two = http2.createServer(handler)
const webSockets = new WebSocketServer({ server: one })
webSockets.on('connection', socket => socket.on('message', data => socket.send(String(data))))

const trackers = [
  new ServerTracker(one, { name: 'http', webSockets, eventStreamRetryMs: 100 }),
  new ServerTracker(two, { name: 'http2' }),
]

const life = lifecycle().start({
  graceMs: Number(graceMs),
  marginMs: 500,
  hooksMs: 500,
  drainDelayMs: Number(windowMs),
})
for (const tracker of trackers) life.add(tracker)
life.on('notReady', () => process.send({ ready: false }))
life.on('exit', () => {
  const raced = trackers.reduce((sum, tracker) => sum + tracker.report().raced, 0)
  process.send({ raced })
})

const listening = [one, two].map(server => {
  const { promise, resolve } = Promise.withResolvers()
  server.listen(0, '127.0.0.1', () => resolve(server.address().port))
  return promise
})
const ports = await Promise.all(listening)
process.send({ ports })
