/** Connections accepted elsewhere, given to a server as if it had accepted them. */
import type { Server, Socket } from 'node:net'

/** What a server of Node keeps of its connections, and what it has been told of them. */
interface Inner {
  _connections: number
  allowHalfOpen?: boolean
  highWaterMark?: number
  keepAlive?: boolean
  keepAliveInitialDelay?: number
  maxConnections?: number | null
  noDelay?: boolean
  pauseOnConnect?: boolean
}

/** Node's own handle of a connection. */
interface Handle {
  open(descriptor: number): number
  close(): void
  setNoDelay?(on: boolean): number
}

/** The kind of handle a client's connection has, by Node's numbers. */
const SOCKET = 0

export class Adopter {
  // Looked up when needed: an import would not load where there is no Node.
  readonly #net = process.getBuiltinModule('node:net')
  readonly #fs = process.getBuiltinModule('node:fs')
  readonly #server: Server
  readonly #inner: Inner
  readonly #fresh: boolean
  readonly #options: Record<string, unknown>
  #Handle: (new (kind: number) => Handle) | undefined

  /**
   * @param allowHalfOpen whether that is left to the server; else a client's end is the end.
   * @param fresh whether connections come as the kernel makes them; else they send at once, as for HTTP.
   */
  constructor(server: Server, allowHalfOpen: boolean, fresh: boolean) {
    const inner = server as unknown as Inner
    const { highWaterMark } = inner
    this.#server = server
    this.#inner = inner
    this.#fresh = fresh
    this.#options = {
      allowHalfOpen: allowHalfOpen && inner.allowHalfOpen === true,
      readable: true,
      writable: true,
      ...(highWaterMark !== undefined && {
        readableHighWaterMark: highWaterMark,
        writableHighWaterMark: highWaterMark,
      }),
    }
  }

  /** Gives several to the server; what one of them throws is uncaught, and keeps none of the others. */
  adoptAll(descriptors: number[]): void {
    for (const descriptor of descriptors) {
      try {
        this.#adopt(descriptor)
      } catch (error) {
        process.nextTick(() => {
          throw error
        })
      }
    }
  }

  #adopt(descriptor: number): void {
    const socket = this.#socket(descriptor)
    if (!socket) return
    const server = this.#server
    const inner = this.#inner
    if (inner.maxConnections != null && inner._connections >= inner.maxConnections) {
      const { localAddress, localPort, remoteAddress, remotePort, remoteFamily } = socket
      server.emit('drop', {
        localAddress,
        localPort,
        localFamily: remoteFamily,
        remoteAddress,
        remotePort,
        remoteFamily,
      })
      socket.destroy()
      return
    }
    if (this.#fresh) {
      if (inner.noDelay) socket.setNoDelay(true)
    } else if (!inner.noDelay) handleOf(socket)?.setNoDelay?.(false)
    // The server keeps seconds.
    if (inner.keepAlive) socket.setKeepAlive(true, (inner.keepAliveInitialDelay ?? 0) * 1000)
    if (inner.pauseOnConnect) socket.pause()
    // So that `close` of the server waits for it and `getConnections` counts it.
    inner._connections++
    const adopted = socket as Socket & { server?: Server; _server?: Server }
    adopted.server = server
    adopted._server = server
    server.emit('connection', socket)
  }

  /** Nothing where it cannot be served, such as a connection that was reset on the way on some systems. */
  #socket(fd: number): Socket | undefined {
    const Handle = this.#Handle
    if (!Handle) return this.#first(fd)
    // Node would find out what kind of descriptor it is, by four calls of the system.
    const handle = new Handle(SOCKET)
    if (handle.open(fd) !== 0) {
      handle.close()
      this.#fs.closeSync(fd)
      return undefined
    }
    return new this.#net.Socket({ ...this.#options, handle } as object)
  }

  #first(fd: number): Socket | undefined {
    let socket: Socket
    try {
      socket = new this.#net.Socket({ ...this.#options, fd })
    } catch {
      this.#fs.closeSync(fd)
      return undefined
    }
    const handle = handleOf(socket)
    if (typeof handle?.open === 'function') this.#Handle = handle.constructor as never
    return socket
  }
}

function handleOf(socket: Socket): Handle | undefined {
  return (socket as unknown as { _handle?: Handle })._handle
}
