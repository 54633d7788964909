import { closeSync } from 'node:fs'
import { type Server, Socket } from 'node:net'

/** What a server of Node keeps of its connections, and what it has been told of them. */
interface Inner {
  _connections: number
  allowHalfOpen?: boolean
  highWaterMark?: number
  keepAlive?: boolean
  keepAliveInitialDelay?: number
  maxConnections?: number
  pauseOnConnect?: boolean
}

/** Gives a connection, accepted elsewhere, to a server, as if it had accepted it. */
export function adopt(server: Server, descriptor: number, allowHalfOpen: boolean): void {
  const inner = server as unknown as Inner
  const { highWaterMark } = inner
  const options = {
    fd: descriptor,
    allowHalfOpen: allowHalfOpen && inner.allowHalfOpen === true,
    readable: true,
    writable: true,
    ...(highWaterMark !== undefined && {
      readableHighWaterMark: highWaterMark,
      writableHighWaterMark: highWaterMark,
    }),
  }
  let socket: Socket
  try {
    socket = new Socket(options)
  } catch {
    // Nothing that can be served, such as a connection that was reset on the way on some systems.
    closeSync(descriptor)
    return
  }
  if (inner.maxConnections !== undefined && inner._connections >= inner.maxConnections) {
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
  if (inner.keepAlive) socket.setKeepAlive(true, inner.keepAliveInitialDelay)
  if (inner.pauseOnConnect) socket.pause()
  // So that `close` of the server waits for it and `getConnections` counts it.
  inner._connections++
  Object.assign(socket, { server, _server: server })
  server.emit('connection', socket)
}

/** The same for several; what one of them throws is uncaught, and keeps none of the others. */
export function adoptAll(server: Server, descriptors: number[], allowHalfOpen: boolean): void {
  for (const descriptor of descriptors) {
    try {
      adopt(server, descriptor, allowHalfOpen)
    } catch (error) {
      process.nextTick(() => {
        throw error
      })
    }
  }
}
