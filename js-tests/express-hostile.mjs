// Clients nobody wants, from a seed.
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

const whole = 'GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n'

function random(seed) {
  let state = seed >>> 0 || 1
  return below => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

const kinds = [
  /** Resets at once. */
  async socket => socket.resetAndDestroy(),
  /** Closes its half, and waits for the other. */
  async socket => {
    socket.end()
    await Promise.race([once(socket, 'close'), sleep(200)])
  },
  /** Sends a request byte by byte, and gives up. */
  async (socket, draw) => {
    const length = 1 + draw(12)
    for (let at = 0; at < length && socket.writable; at++) {
      socket.write(whole[at])
      await sleep(3)
    }
    socket.resetAndDestroy()
  },
  /** Sends what is no request. */
  async (socket, draw) => {
    socket.write(Buffer.from(Array.from({ length: 1 + draw(400) }, () => draw(256))))
    await Promise.race([once(socket, 'close'), sleep(50)])
    socket.destroy()
  },
  /** Begins a TLS handshake that goes on for ever. */
  async socket => {
    socket.write(Buffer.from([0x16, 3, 1, 0xff, 0xff, 1]))
    await sleep(20)
    socket.destroy()
  },
  /** Asks and does not wait for the answer. */
  async socket => {
    socket.write(whole)
    socket.resetAndDestroy()
  },
  /** Says nothing. */
  async socket => {
    await sleep(30)
    socket.destroy()
  },
  /** Is no enemy. */
  async socket => {
    socket.write(whole)
    await Promise.race([once(socket, 'close'), sleep(2000)])
    socket.destroy()
  },
]

/** Lets `count` of them loose on a port, 50 at a time. */
export async function hostile(port, { count, seed }) {
  const draw = random(seed)
  let left = count
  const one = async () => {
    while (left-- > 0) {
      const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
      socket.on('error', () => {})
      socket.resume()
      const kind = kinds[draw(kinds.length)]
      await Promise.race([once(socket, 'connect').catch(() => {}), sleep(3000)])
      await kind(socket, draw).catch(() => {})
      socket.destroy()
    }
  }
  await Promise.all(Array.from({ length: 50 }, one))
}

/** What is under way at the front, whichever mode it has. */
export const counters = ({ waiting, offered, asked, leaving, open = 0, http }) => [
  waiting,
  offered,
  asked,
  leaving,
  open,
  http?.inFlight ?? 0,
  (http?.links ?? 0) - (http?.idle ?? 0),
]

/** Waits until nothing is, there and in the workers; false where it does not come to that. */
export async function quiet(server) {
  const end = performance.now() + 8000
  while (performance.now() < end) {
    const { counts, workers } = await server.stats()
    const open = workers.reduce((sum, { connections = 0 }) => sum + connections, 0)
    if (open === 0 && counters(counts).every(count => count === 0)) return true
    await sleep(50)
  }
  return false
}
