import type { Server } from 'node:net'
import { Adopter } from '../../adopt.js'
import { processEngine } from '../../engine/process/index.js'

/** Taken at a time; a listener's queue rarely holds more. */
const BATCH = 512
/** As many batches at most: a service is to end though clients never stop coming. */
const BATCHES = 16

/**
 * Gives a server at once all connections that wait for it in the kernel, which would be reset with
 * its listener. false: this cannot be done here (no native addon, Windows, a worker of `cluster`).
 */
export function takeBacklog(server: Server): boolean {
  const handle = (server as { _handle?: { fd?: number } | null })._handle
  const core = processEngine()
  if (!core.acceptBacklog || !(Number(handle?.fd) >= 0)) return false
  const adopter = new Adopter(server, true, true)
  for (let batch = 0; batch < BATCHES; batch++) {
    const descriptors = core.acceptBacklog(handle?.fd as number, BATCH)
    if (descriptors.length === 0) return true
    adopter.adoptAll(descriptors)
  }
  return true
}
