import type { Duplex } from 'node:stream'
import type { Manners } from './peer.js'

/** What is needed of a WebSocket of the package `ws`. */
export interface WebSocketLike {
  send(data: string): void
  close(code?: number, reason?: string): void
  terminate(): void
}

/** What is needed of a server of the package `ws`. */
export interface WebSocketServerLike {
  readonly clients: Iterable<WebSocketLike>
  // biome-ignore lint/suspicious/noExplicitAny: emitters of every typing fit
  on(event: 'connection', listener: (...args: any[]) => void): unknown
  // biome-ignore lint/suspicious/noExplicitAny: emitters of every typing fit
  off(event: 'connection', listener: (...args: any[]) => void): unknown
}

/** Going away (RFC 6455, 7.4.1). */
const GOING_AWAY = 1001

/** How a WebSocket is spoken to: by its own library, or by frames where nobody told of one. */
export interface Voice {
  say(text: string): void
  close(): void
  /** Ends what did not answer. */
  cut(): void
}

export function voiceOf(client: WebSocketLike): Voice {
  return {
    say: text => client.send(text),
    close: () => client.close(GOING_AWAY),
    cut: () => client.terminate(),
  }
}

export function rawVoice(socket: Duplex): Voice {
  return {
    say: text => socket.write(frame(1, Buffer.from(text))),
    close: () => socket.write(frame(8, Buffer.from([GOING_AWAY >> 8, GOING_AWAY & 255]))),
    cut: () => socket.end(),
  }
}

/** The goodbye of one WebSocket, step by step. */
export class Goodbye {
  #step = 0
  #next = 0

  /** Does what is due. */
  move(voice: Voice, manners: Manners): void {
    const now = manners.now()
    if (now < this.#next || this.#step > 2) return
    this.#next = now + manners.farewellMs
    if (this.#step === 0 && manners.message !== undefined) {
      this.#step = 1
      voice.say(manners.message)
    } else if (this.#step < 2) {
      this.#step = 2
      voice.close()
    } else if (manners.closing) {
      this.#step = 3
      voice.cut()
    }
  }
}

/** One whole frame of a server (RFC 6455, 5.2): unmasked. */
function frame(opcode: number, payload: Buffer): Buffer {
  const { length } = payload
  const head =
    length < 126 ? [0x80 | opcode, length] : [0x80 | opcode, 126, length >> 8, length & 255]
  return Buffer.concat([Buffer.from(head), payload])
}
