import { processEngine } from '../engine/process/index.js'
import type { ParsedRequest } from './types.js'

/** What the first bytes of a connection say. */
export function parseRequestHead(
  bytes: Uint8Array,
  remoteAddress?: string,
  remotePort?: number,
): ParsedRequest {
  const words = processEngine().headRead?.(Buffer.from(bytes)) ?? []
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
