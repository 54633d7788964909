import { processEngine } from '../engine/process/index.js'
import type { ParsedRequest } from './types.js'

/** Whether a whole head is there: what ends it is an empty line. */
export function hasCompleteHttpHeaders(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes('\r\n\r\n')
}

/**
 * What the first bytes of a connection say, as far as they have come. Needs the native addon;
 * without it the protocol is `unknown`.
 */
export function parseRequestHead(
  bytes: Uint8Array,
  remoteAddress?: string,
  remotePort?: number,
): ParsedRequest {
  const words =
    processEngine().headRead?.(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)) ?? []
  const [method = '', path = '', version = '', isHttp1 = '', rawHead = '', serverName = ''] = words
  const headers: Record<string, string> = Object.create(null)
  for (let at = 6; at + 1 < words.length; at += 2) {
    headers[words[at] as string] = words[at + 1] as string
  }
  return {
    method,
    path: path || undefined,
    httpVersion: version || undefined,
    host: headers.host,
    headers,
    remoteAddress,
    remotePort,
    protocol: isHttp1 ? 'http1' : 'unknown',
    rawHead,
    serverName: serverName || undefined,
  }
}
