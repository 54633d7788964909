// Clients of the mode `http`, down to the bytes.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request } from 'node:http'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** A request with `node:http`; a JSON body is read. */
export function ask(
  port,
  path,
  { agent = false, ms = 10_000, method = 'GET', headers = {}, body } = {},
) {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path, agent, timeout: ms, method, headers }
    const sent = request(options, response => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', part => {
        text += part
      })
      response.on('error', reject)
      response.on('end', () => {
        const { statusCode: status, headers } = response
        resolve({ status, headers, body: text.startsWith('{') ? JSON.parse(text) : text })
      })
    })
    sent.on('error', reject)
    sent.on('timeout', () => sent.destroy(new Error('too late')))
    sent.end(body)
  })
}

/** A connection whose text is kept: `until` some of it is as wanted, `closed` with all of it. */
export async function talk(port) {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: false })
  let text = ''
  let look = () => {}
  socket.setEncoding('utf8').on('data', part => {
    text += part
    look()
  })
  socket.on('error', () => {})
  socket.closed2 = new Promise(resolve => socket.on('close', () => resolve(text)))
  await once(socket, 'connect')
  return Object.defineProperties(socket, {
    closed: { value: socket.closed2 },
    until: {
      value: (wanted, ms = 5000) =>
        new Promise((resolve, reject) => {
          const late = setTimeout(() => reject(new Error(`only ${JSON.stringify(text)}`)), ms)
          look = () => {
            if (!wanted(text)) return
            clearTimeout(late)
            resolve(text)
          }
          look()
        }),
    },
  })
}

/** Sends bytes and answers all that comes until the connection ends, or nothing has for a while. */
export async function raw(port, bytes, quietMs = 400) {
  const socket = await talk(port)
  socket.write(bytes)
  let last = ''
  let at = performance.now()
  const done = socket.closed.then(text => ({ text }))
  for (;;) {
    const ended = await Promise.race([done, sleep(50)])
    if (ended) return ended.text
    const now = await socket.until(() => true)
    if (now !== last) at = performance.now()
    last = now
    // Until something has come it is waited for longer.
    if (performance.now() - at > (last ? quietMs : 3000)) {
      socket.destroy()
      return last
    }
  }
}

/** The JSON in an answer. */
export const bodyOf = text => JSON.parse(text.slice(text.indexOf('{'), text.lastIndexOf('}') + 1))

/** Waits until nothing is under way, and says what is left. */
export async function expectQuiet(server, ms = 3000) {
  const until = performance.now() + ms
  for (;;) {
    const { http, waiting, offered, asked, leaving, open } = await server.counts()
    const now = {
      inFlight: http.inFlight,
      waiting,
      offered,
      asked,
      leaving,
      open,
      busy: http.links - http.idle,
    }
    const quiet = Object.values(now).every(count => count === 0)
    if (quiet) return
    if (performance.now() > until) assert.fail(`still there: ${JSON.stringify(now)}`)
    await sleep(50)
  }
}
