/**
 * Asks about a connection: its number, the first bytes, its address, for how long they were waited for,
 * and a descriptor of it where the function is to get its socket, else -1.
 */
export type Ask = (
  id: number,
  head: Uint8Array,
  remoteAddress: string,
  remotePort: number,
  waitedMs: number,
  descriptor: number,
) => void
