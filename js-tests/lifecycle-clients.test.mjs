// Servers that are brought to rest while clients of others' make go on asking: undici and curl.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createServer as createServer2 } from 'node:http2'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { ServerTracker } from 'seawall/lifecycle'
import { Pool, request } from 'undici'
import { program } from './find-servers.mjs'

const run = promisify(execFile)
const curl = program('curl')

async function start(server) {
  const tracker = new ServerTracker(server, { farewellMs: 200, seed: 1 })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { tracker, port: server.address().port }
}

const late = async (_, response) => {
  await sleep(20)
  response.end('served')
}

test('undici: a pool that never stops asking gets every answer, until nobody listens', async t => {
  // The pool asks again, unseen, where an answer does not come: only the server knows.
  let cut = 0
  const { tracker, port } = await start(
    createServer((request, response) => {
      response.on('close', () => {
        if (!response.writableFinished) cut++
      })
      return late(request, response)
    }),
  )
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: 8, pipelining: 1 })
  let served = 0
  let stop = false
  // Whatever fails below, the asking is to end.
  t.after(async () => {
    stop = true
    tracker.force()
    await pool.destroy()
  })
  const failures = []
  const ask = async () => {
    while (!stop) {
      try {
        const { statusCode, body } = await pool.request({ path: '/', method: 'GET' })
        assert.equal(statusCode, 200)
        assert.equal(await body.text(), 'served')
        served++
      } catch (error) {
        failures.push(error.code)
        // Only once the listener is closed nobody is to be reached any more.
        stop = true
      }
    }
  }
  const asking = Array.from({ length: 8 }, ask)
  // A busy machine serves fewer in the same time.
  const until = async count => {
    while (served < count && failures.length === 0) await sleep(5)
  }
  await until(16)
  const before = served
  tracker.beginDrain(400)
  await Promise.all([sleep(400), until(before + 32)])
  assert.deepEqual(failures, [], 'served during the drain, on old connections and new ones')
  await tracker.close()
  await Promise.all(asking)
  assert.deepEqual([...new Set(failures)], ['ECONNREFUSED'])
  assert.equal(cut, 0)
})

test('undici: a request with a slow body that began before the end is answered', async () => {
  const { tracker, port } = await start(
    createServer(async (incoming, response) => {
      let length = 0
      for await (const part of incoming) length += part.length
      response.end(String(length))
    }),
  )
  async function* slowly() {
    for (let n = 0; n < 5; n++) {
      yield Buffer.alloc(1000)
      await sleep(60)
    }
  }
  const answer = request(`http://127.0.0.1:${port}/`, { method: 'POST', body: slowly() })
  await sleep(100)
  tracker.beginDrain(0)
  const closed = tracker.close()
  const { body, headers } = await answer
  assert.equal(await body.text(), '5000')
  assert.equal(headers.connection, 'close')
  await closed
})

const skip = !curl && 'no curl here'

test('curl: a request under way is answered and told to leave', { skip }, async () => {
  const { tracker, port } = await start(
    createServer(async (_, response) => {
      await sleep(300)
      response.end('served')
    }),
  )
  const answer = run(curl, ['-sS', '-i', `http://127.0.0.1:${port}/`])
  await sleep(150)
  tracker.beginDrain(0)
  const closed = tracker.close()
  const { stdout } = await answer
  assert.match(stdout, /^HTTP\/1.1 200/)
  assert.match(stdout, /^connection: close\r$/im)
  assert.match(stdout, /served$/)
  await closed
})

test('curl: a stream of HTTP/2 is finished, too', { skip }, async () => {
  const server = createServer2(async (_, response) => {
    await sleep(300)
    response.end('served')
  })
  const { tracker, port } = await start(server)
  const url = `http://127.0.0.1:${port}/`
  // One at a time: curl 7.88 breaks several streams at once by itself, also with a plain server.
  const answer = run(curl, ['-sS', '--http2-prior-knowledge', url])
  await sleep(150)
  tracker.beginDrain(0)
  const closed = tracker.close()
  const { stdout } = await answer
  assert.equal(stdout, 'served')
  await closed
})
