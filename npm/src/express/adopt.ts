import { type Server, Socket } from 'node:net'

/** What a server of Node keeps of its connections, and what it needs to count them. */
interface Counting {
  _connections: number
  allowHalfOpen?: boolean
  maxConnections?: number
}

/** Gives a connection, accepted elsewhere, to a server, as if it had accepted it. */
export function adopt(server: Server, descriptor: number, allowHalfOpen: boolean): void {
  const counting = server as unknown as Counting
  const socket = new Socket({ fd: descriptor, allowHalfOpen, readable: true, writable: true })
  if (counting.maxConnections !== undefined && counting._connections >= counting.maxConnections) {
    server.emit('drop')
    socket.destroy()
    return
  }
  // So that `close` of the server waits for it and `getConnections` counts it.
  counting._connections++
  Object.assign(socket, { server, _server: server })
  server.emit('connection', socket)
}
