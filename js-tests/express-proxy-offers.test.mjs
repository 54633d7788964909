// Offers of connections to a worker that takes them, down to the addon: front and worker in one process,
// with offers that stand for a minute. Native and on Unix only.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { platformName } from '../npm/scripts/paths.mjs'
import { native } from './express-tools.mjs'

const folder = mkdtempSync(join(tmpdir(), 'seawall-offers-'))
after(() => rmSync(folder, { recursive: true, force: true }))

/** How many offers may be open at a worker. */
const SLOTS = 64
const OFFER_MS = 60_000
/** The place of `offerMs` among the numbers of `BalanceOptions`. */
const OFFER = 10

test('who has taken a connection and answers slowly, or not at all, is offered others', {
  skip: !native && 'native only',
}, async () => {
  const addon = createRequire(import.meta.url)(`seawall-${platformName()}`)
  const board = join(folder, 'board')
  const words = new Float64Array(addon.relayJoin(board))
  words[0] = 1
  let taken = 0
  const kept = []
  const worker = createServer(socket => {
    kept.push(socket.on('error', () => {}))
    // Takes it, and says nothing.
    socket.once('data', bytes => {
      if (addon.relayIntroduction(bytes)?.length > 0) taken++
    })
  })
  const path = join(folder, 'worker')
  await once(worker.listen(path), 'listening')
  const options = new Float64Array(15).fill(Number.NaN)
  options[OFFER] = OFFER_MS
  const settings = Float64Array.of(1, 1000, 0, 0, 1, 0)
  assert.equal(addon.proxyStart('127.0.0.1', 0, options, settings, undefined, 1, undefined), 0)
  addon.relayWorker(0, process.pid, path, true, board)
  addon.relayOpen()
  const clients = Array.from({ length: 3 * SLOTS }, () => {
    const client = connect(addon.relayPort(), '127.0.0.1').on('error', () => {})
    client.write('hello')
    return client
  })
  const end = performance.now() + OFFER_MS / 4
  while (taken < clients.length && performance.now() < end) await sleep(5)
  assert.equal(taken, clients.length)
  for (const socket of [...clients, ...kept]) socket.destroy()
  worker.close()
  addon.relayLeave()
  addon.relayEnd()
})
