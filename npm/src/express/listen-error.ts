import { getSystemErrorName } from 'node:util'
import { SeawallError } from '../errors.js'

/** The error of an address that cannot be had; `cause` begins with the number the system gave. */
export function listenProblem(cause: unknown, host: string, port: number): Error {
  const [, number] = /^(\d+) /.exec((cause as Error | undefined)?.message ?? '') ?? []
  const code = number ? getSystemErrorName(-Number(number)) : undefined
  const words: Record<string, string> = {
    EADDRINUSE: 'another process listens there',
    EACCES: 'this user may not listen there',
    EADDRNOTAVAIL: 'this machine has no such address',
  }
  const why = (code && words[code]) ?? (cause as Error).message
  const error = new SeawallError(
    code ?? 'SEAWALL_LISTEN',
    `startServer: cannot listen on ${host}:${port}: ${why}`,
    { cause },
  )
  return error
}
