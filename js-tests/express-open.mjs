// Clients that are connected, and ask when nobody expects it any more.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { talk } from './express-http-tools.mjs'

/** A connection, and what becomes of requests on it. */
async function client(port) {
  const socket = await talk(port)
  let asked = 0
  return {
    socket,
    ended: socket.closed,
    /** The answer; nothing where the connection ends without one. */
    async ask() {
      asked++
      socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
      const whole = text => text.split('}').length > asked
      const ended = socket.closed.then(text => (whole(text) ? text : undefined))
      const text = await Promise.race([socket.until(whole, 30_000), ended])
      return text?.slice(text.lastIndexOf('HTTP/1.1 '))
    },
  }
}

/** Asks on a connection of its own: `connected` as soon as the kernel has it, `closed` with the answer. */
export function askOnce(port) {
  const socket = connect({ port, host: '127.0.0.1' }).on('error', () => {})
  let answer = ''
  socket.setEncoding('latin1').on('data', part => {
    answer += part
  })
  socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  const closed = new Promise(resolve => socket.on('close', () => resolve(answer)))
  return { connected: once(socket, 'connect'), closed }
}

/**
 * Clients of `server` that workers have: of each two one has never said a word, and the other one has
 * been answered.
 */
export async function openClients(server, count = 8) {
  const clients = []
  for (let n = 0; n < count; n++) {
    const one = await client(server.port)
    if (n % 2 === 0) assert.match(await one.ask(), /^HTTP\/1.1 200 /)
    clients.push(one)
  }
  const end = performance.now() + 15_000
  for (;;) {
    const { counts, workers } = await server.stats()
    const adopted = workers.reduce((sum, { connections = 0 }) => sum + connections, 0)
    // A front of requests has them itself.
    if ((counts.http ? counts.open + counts.offered : adopted) === count) return clients
    assert.ok(performance.now() < end, JSON.stringify({ counts, workers }))
    await sleep(20)
  }
}

/** Waits until nobody can connect to `port` any more. */
export async function refused(port) {
  for (;;) {
    const socket = connect({ port, host: '127.0.0.1' })
    const isOpen = await once(socket, 'connect').then(
      () => true,
      () => false,
    )
    socket.destroy()
    if (!isOpen) return
    await sleep(5)
  }
}

/** What an answer says of its connection. */
export const connectionOf = answer => /^connection: (\S+)/im.exec(answer ?? '')?.[1] ?? 'keep-alive'
