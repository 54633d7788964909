/** Connections of clients, lent to a balancer function while it chooses. */
import { closeSync } from 'node:fs'
import { Socket } from 'node:net'
import { nameClient } from './introduced.js'

/** How long a client may take to close after an answer of the function's own, in ms. */
const LINGER_MS = 1000

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
      drop(fd)
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
    // An end would be that of the connection, not of this descriptor alone.
    if (!socket.destroyed && !socket.writableEnded && socket.writableLength > 0) {
      await new Promise<void>(resolve => {
        socket.once('close', resolve).write('', () => resolve())
      })
    }
    const isOpen = !socket.destroyed && !socket.writableEnded
    if (!socket.destroyed && !isOpen) await answered(socket)
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

/** Until the client has the answer of the function's own: closed on unread bytes, it would be taken back. */
async function answered(socket: Socket): Promise<void> {
  const closed = new Promise(resolve => socket.once('close', resolve))
  // `end` comes before the end of this side where the client was the first.
  socket.once('end', () => socket.destroySoon())
  socket.resume()
  if (!socket.writableFinished) {
    await Promise.race([closed, new Promise(resolve => socket.once('finish', resolve))])
  }
  const late = setTimeout(() => socket.destroy(), LINGER_MS)
  await closed
  clearTimeout(late)
}

function drop(fd: number): void {
  try {
    closeSync(fd)
  } catch {
    // It was none.
  }
}
