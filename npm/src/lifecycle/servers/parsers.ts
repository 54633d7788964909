import type { Socket } from 'node:net'

/** What Node keeps of a server's HTTP/1 connections, as far as it is used here. */
interface ConnectionsList {
  all(): { socket?: Socket | null }[]
  idle(): { socket?: Socket | null }[]
}

/**
 * Node's own list of the parsers of a server, which alone knows whether the first bytes of another
 * request came together with the end of the one before. It has no public name; where it is not
 * found, bytes are counted instead.
 */
export function parsersOf(server: object): ConnectionsList | undefined {
  for (const symbol of Object.getOwnPropertySymbols(server)) {
    if (symbol.description !== 'http.server.connections') continue
    const list = (server as Record<symbol, unknown>)[symbol] as Partial<ConnectionsList> | undefined
    if (typeof list?.all === 'function' && typeof list.idle === 'function')
      return list as ConnectionsList
  }
  return undefined
}

/** The sockets whose parsers are between two requests. */
export function idleSockets(list: ConnectionsList): Set<Socket> {
  return new Set(list.idle().flatMap(({ socket }) => socket ?? []))
}
