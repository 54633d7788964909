// A server of the test's own, on loopback: files of a folder, and an origin that cannot be relied on.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { extname, join, normalize } from 'node:path'

const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css',
  '.wasm': 'application/wasm',
  '.json': 'application/json',
}

/**
 * `/flaky?key=…` answers 503 twice and then 200, for each key; other paths are files of `folder`, or
 * what `handle` answers with `true`.
 */
export async function serveFolder(folder, handle = () => false) {
  const asked = new Map()
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url, 'http://here.test')
    if (handle(request, response)) return
    response.setHeader('access-control-allow-origin', '*')
    if (pathname === '/flaky') {
      const key = searchParams.get('key')
      const times = (asked.get(key) ?? 0) + 1
      asked.set(key, times)
      response.statusCode = times < 3 ? 503 : 200
      response.end(times < 3 ? 'busy' : 'answer')
      return
    }
    try {
      const name = pathname === '/' ? 'index.html' : normalize(pathname).replace(/^\/+/, '')
      const bytes = readFileSync(join(folder, name))
      response.setHeader('content-type', TYPES[extname(name)] ?? 'application/octet-stream')
      response.end(bytes)
    } catch {
      response.statusCode = 404
      response.end('not found')
    }
  })
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    end: () =>
      new Promise(resolve => {
        server.close(resolve)
        server.closeAllConnections()
      }),
  }
}
