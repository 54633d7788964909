/** Who the clients are of a worker whose connections come from a front that carries bytes. */
import type { Server, Socket } from 'node:net'
import { processEngine } from '../engine/process/index.js'

/** How long the front may take for words it sends at once. */
const WITHIN_MS = 5000

/** What Node asks a connection for its ends. */
interface Handle {
  fd?: number
  getpeername?(into: object): number
  getsockname?(into: object): number
}

/** Lets `server` see each connection as that of the client the front speaks for. */
export function introduceTo(server: Server): void {
  const emit = server.emit as (this: Server, event: unknown, ...parameters: unknown[]) => boolean
  server.emit = function (this: Server, event: unknown, ...parameters: unknown[]): boolean {
    if (event !== 'connection') return emit.call(this, event, ...parameters)
    welcome(parameters[0] as Socket, () => emit.call(this, event, ...parameters))
    return true
  } as typeof server.emit
}

function welcome(socket: Socket, serve: () => void): void {
  const { fd = -1 } = handleOf(socket) ?? {}
  const words = fd >= 0 ? processEngine().relayIntroduced?.(fd) : undefined
  if (!words) {
    listen(socket, serve)
    return
  }
  if (names(socket, words)) serve()
}

/** Waits for the words of the front, where they have not come with the connection. */
function listen(socket: Socket, serve: () => void): void {
  let bytes = Buffer.alloc(0)
  const leave = (): void => {
    clearTimeout(late)
    socket.off('readable', read)
    socket.off('error', leave)
    socket.off('close', leave)
    socket.off('end', end)
  }
  // The front took it back before it had said anything; Node would keep the half that is left.
  const end = (): void => {
    leave()
    socket.destroy()
  }
  const read = (): void => {
    for (let part = socket.read(); part !== null; part = socket.read()) {
      bytes = Buffer.concat([bytes, part])
    }
    const words = processEngine().relayIntroduction?.(bytes)
    if (!words) return
    leave()
    if (!names(socket, words)) return
    const rest = bytes.subarray(Number(words[0]))
    if (rest.length > 0) socket.unshift(rest)
    serve()
  }
  const late = setTimeout(() => socket.destroy(), WITHIN_MS).unref()
  socket.on('readable', read)
  socket.on('error', leave)
  socket.on('close', leave)
  socket.on('end', end)
}

/** Whether the connection is this worker's; then it has the names of its ends. */
function names(socket: Socket, words: string[]): boolean {
  const [length, host, port, toHost, toPort] = words
  if (length === undefined) {
    // Another worker serves it, or somebody came by himself.
    socket.on('error', () => {})
    socket.destroy()
    return false
  }
  const handle = handleOf(socket)
  if (handle && host && toHost) {
    handle.getpeername = naming(host, Number(port))
    handle.getsockname = naming(toHost, Number(toPort))
  }
  return true
}

/** Lets `socket` say that its client is somebody else than who is connected. */
export function nameClient(socket: Socket, address: string, port: number): void {
  const handle = handleOf(socket)
  if (handle) handle.getpeername = naming(address, port)
}

/** Over TLS the socket that is served asks the same handle. */
function naming(address: string, port: number): (into: object) => number {
  const family = address.includes(':') ? 'IPv6' : 'IPv4'
  return into => {
    Object.assign(into, { address, port, family })
    return 0
  }
}

function handleOf(socket: Socket): Handle | undefined {
  return (socket as unknown as { _handle?: Handle | null })._handle ?? undefined
}
