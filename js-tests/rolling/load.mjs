// Clients of every kind, at a steady rate.
import http from 'node:http'
import http2 from 'node:http2'
import net from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'

/** What every hundred requests are. */
const MIX = [
  ...Array(60).fill('keepAlive'),
  ...Array(10).fill('halfHead'),
  ...Array(10).fill('slowBody'),
  ...Array(20).fill('stream'),
]
const STEP = 37
/** Under way at once, at most. */
const MOST = 500

export class Load {
  /** @type {Map<string, { kind: string, error?: string, done: boolean }>} */
  requests = new Map()
  webSockets = { opened: 0, codes: {} }
  eventStreams = { opened: 0, whole: 0, cut: 0, errors: [] }
  reused = 0
  refused = 0
  /** What was due while these clients could not keep up. */
  held = 0
  #ports
  #agent = new http.Agent({ keepAlive: true, scheduling: 'fifo' })
  #session
  #running = true
  #pending = new Set()
  #sent = 0

  constructor([one, two]) {
    this.#ports = { one, two }
  }

  /** Sends `perSecond` requests a second until {@link stop}; keeps WebSockets and event streams open. */
  start({ perSecond, webSockets = 8, eventStreams = 8 }) {
    for (let i = 0; i < webSockets; i++) this.#webSocket()
    for (let i = 0; i < eventStreams; i++) this.#events()
    let [due, last] = [0, performance.now()]
    this.#timer = setInterval(() => {
      const now = performance.now()
      due += ((now - last) / 1000) * perSecond
      last = now
      // What was not sent while this process stood still is never sent: clients that catch up, or pile
      // up without end, are another load than the one that was asked for.
      for (let i = 0; due >= 1 && i < 20 && this.#pending.size < MOST; i++, due--) this.#send()
      this.held += Math.floor(due)
      due %= 1
    }, 5)
  }
  #timer

  /** Sends nothing more, and waits for what is under way. */
  async stop() {
    clearInterval(this.#timer)
    await Promise.all(this.#pending)
    this.#running = false
    this.#agent.destroy()
    this.#session?.close()
  }

  #send() {
    const id = `r${this.#sent}`
    const kind = MIX[(this.#sent * STEP) % MIX.length]
    const path = `/work?id=${id}&ms=${(this.#sent * 7) % 120}`
    this.#sent++
    const record = { kind, done: false }
    this.requests.set(id, record)
    const whole = (body, length) => {
      if (body !== `${id}:${length}:${'x'.repeat(2000)}`) throw new Error('not the whole answer')
      record.done = true
    }
    const limited = Promise.race([
      this[kind](path, whole, record),
      sleep(20_000, undefined, { ref: false }).then(() => Promise.reject(new Error('no answer'))),
    ])
    const pending = limited
      .catch(error => {
        record.error = `${error.code}: ${error.message}`
      })
      .finally(() => this.#pending.delete(pending))
    this.#pending.add(pending)
  }

  #request(options, send, record) {
    return new Promise((resolve, reject) => {
      const request = http.request({ host: '127.0.0.1', port: this.#ports.one, ...options })
      request.on('response', response => {
        let body = ''
        response.setEncoding('utf8')
        response.on('data', chunk => {
          body += chunk
        })
        response.on('end', () => resolve(body))
        response.on('error', reject)
      })
      request.on('error', reject)
      request.on('socket', () => {
        const { socket } = request
        record.port = socket.localPort
        if (request.reusedSocket) this.reused++
        else socket.once('connect', () => (record.port = socket.localPort))
      })
      send(request)
    })
  }

  async keepAlive(path, whole, record) {
    whole(await this.#request({ path, agent: this.#agent }, request => request.end(), record), 0)
  }

  async slowBody(path, whole, record) {
    const send = async request => {
      for (const part of ['abc', 'def', 'ghi']) {
        request.write(part)
        await sleep(80)
      }
      request.end()
    }
    const options = { path, method: 'POST', agent: this.#agent, headers: { 'content-length': 9 } }
    whole(await this.#request(options, send, record), 9)
  }

  async halfHead(path, whole, record) {
    const socket = net.connect(this.#ports.one, '127.0.0.1')
    try {
      const text = await new Promise((resolve, reject) => {
        let text = ''
        socket.on('connect', () => {
          record.port = socket.localPort
        })
        socket.setEncoding('latin1')
        socket.on('data', chunk => {
          text += chunk
          const [head, body] = text.split('\r\n\r\n')
          const length = /content-length: (\d+)/i.exec(head)?.[1]
          if (body !== undefined && body.length >= Number(length)) resolve(body)
        })
        socket.on('error', reject)
        socket.on('end', () => reject(new Error('ended')))
        socket.write(`GET ${path} HTTP/1.1\r\nHo`)
        setTimeout(() => socket.write('st: x\r\n\r\n'), 200)
      })
      whole(text, 0)
    } finally {
      socket.destroy()
    }
  }

  /** Refused means not begun, so it is sent again, as clients of HTTP/2 do by themselves. */
  async stream(path, whole) {
    try {
      await this.#stream(path, whole)
    } catch (error) {
      if (!/REFUSED_STREAM/.test(error.message)) throw error
      this.refused++
      await this.#stream(path, whole)
    }
  }

  #stream(path, whole) {
    if (!this.#session || this.#session.closed || this.#session.destroyed) {
      this.#session = http2.connect(`http://127.0.0.1:${this.#ports.two}`)
      this.#session.on('error', () => {})
    }
    return new Promise((resolve, reject) => {
      const stream = this.#session.request({ ':path': path })
      let body = ''
      stream.setEncoding('utf8')
      stream.on('data', chunk => {
        body += chunk
      })
      stream.on('error', reject)
      stream.on('close', () => {
        try {
          resolve(whole(body, 0))
        } catch (error) {
          reject(error)
        }
      })
      stream.end()
    })
  }

  #webSocket() {
    const socket = new WebSocket(`ws://127.0.0.1:${this.#ports.one}/`)
    let chatter
    socket.on('open', () => {
      this.webSockets.opened++
      chatter = setInterval(() => socket.send('hello'), 50)
    })
    socket.on('error', () => {})
    socket.on('close', code => {
      clearInterval(chatter)
      const { codes } = this.webSockets
      codes[code] = (codes[code] ?? 0) + 1
      if (this.#running) setTimeout(() => this.#webSocket(), 20)
    })
  }

  #events() {
    const again = () => this.#running && setTimeout(() => this.#events(), 20)
    const request = http.get(
      { host: '127.0.0.1', port: this.#ports.one, path: '/events', agent: false },
      response => {
        this.eventStreams.opened++
        response.resume()
        response.on('error', () => {})
        response.on('close', () => {
          this.eventStreams[response.complete ? 'whole' : 'cut']++
          again()
        })
      },
    )
    request.on('error', error => {
      if (this.#running && !request.res) {
        this.eventStreams.errors.push(error.code)
        again()
      }
    })
  }
}
