// Servers on loopback that do what a test says, request by request.
import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'

/** Lets a test write what the server does with its requests, the last entry for all that follow. */
export async function serve(t, ...script) {
  const seen = []
  const sockets = new Set()
  const open = new Set()
  let connections = 0
  const server = http.createServer(async (request, response) => {
    open.add(response)
    response.on('close', () => open.delete(response))
    const chunks = []
    for await (const chunk of request) chunks.push(chunk)
    const body = Buffer.concat(chunks).toString()
    const { method, url, headers } = request
    seen.push({ method, url, headers, body, at: performance.now() })
    const act = script[Math.min(seen.length, script.length) - 1]
    await act(response, request, body)
  })
  server.on('connection', socket => {
    connections++
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => {})
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address()
  return {
    seen,
    sockets,
    // Requests that are being answered; idle sockets are the client's business.
    open,
    server,
    port,
    origin: `http://127.0.0.1:${port}`,
    connections: () => connections,
  }
}

export const ok =
  (text = 'ok', headers = {}) =>
  response =>
    response.writeHead(200, headers).end(text)

export const status =
  (code, headers = {}, body = 'no') =>
  response =>
    response.writeHead(code, headers).end(body)

/** Takes the request and breaks the connection. */
export const reset = response => response.socket.resetAndDestroy()

/** Never answers. */
export const stall = () => {}

/** Sends a part of what it has promised, and breaks off. */
export const truncate = response => {
  response.writeHead(200, { 'content-length': 100 })
  response.write('half')
  setTimeout(() => response.socket.destroy(), 20)
}

/** A port at which nobody listens. */
export async function closedPort() {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

/** Waits until `condition` holds, or fails. */
export async function until(condition, ms = 20_000) {
  const end = performance.now() + ms
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`not within ${ms} ms: ${condition}`)
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}
