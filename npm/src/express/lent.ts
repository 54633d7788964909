/** Connections of clients, lent to a balancer function while it chooses. */
import { once } from 'node:events'
import { closeSync } from 'node:fs'
import { Socket } from 'node:net'
import { nameClient } from './introduced.js'

/** @internal */
export class Lent {
  readonly #sockets: Map<number, Socket> = new Map()

  /** The connection behind a descriptor, of which nothing is read yet; nothing where it is no more. */
  take(id: number, fd: number, remoteAddress: string, remotePort: number): Socket | undefined {
    // Not read by itself, nor ended with its other side: the front serves it on.
    const options = { fd, allowHalfOpen: true, manualStart: true }
    let socket: Socket
    try {
      socket = new Socket(options)
    } catch {
      closeSync(fd)
      return undefined
    }
    socket.on('error', () => {})
    nameClient(socket, remoteAddress, remotePort)
    this.#sockets.set(id, socket)
    return socket
  }

  /** Ends what the function could do with it; answers whether it is still to be served. */
  async giveBack(id: number): Promise<boolean> {
    const socket = this.#sockets.get(id)
    if (!socket) return false
    const isOpen = !socket.destroyed && !socket.writableEnded
    if (!socket.destroyed && socket.writableLength > 0) {
      const closed = once(socket, 'close')
      socket.destroySoon()
      await closed
    }
    this.forget(id)
    return isOpen
  }

  /** Nobody waits for the function any more. */
  forget(id: number): void {
    // There is another descriptor, for which this changes nothing.
    this.#sockets.get(id)?.destroy()
    this.#sockets.delete(id)
  }
}
