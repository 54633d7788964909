// A few processes replaced under load; `slow/rolling.mjs` does it a hundred times.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rolling } from './rolling/rolling.mjs'

test('restarts one after the other lose no request', async t => {
  const result = await rolling({ restarts: 4, perSecond: 500 })
  t.diagnostic(JSON.stringify(result))
  assert.deepEqual(result.lost, [])
  assert.deepEqual(new Set(result.exits), new Set([0]))
  assert.ok(result.requests > 1000, `${result.requests} requests`)
  for (const kind of ['keepAlive', 'halfHead', 'slowBody', 'stream'])
    assert.ok(result.kinds[kind] > 50, kind)
  assert.ok(result.reused > 100, 'connections are used again')
  // What a client sent while this side was closing: few, and none of it begun.
  assert.ok(result.races.length <= result.requests / 100, `${result.races}`)
  assert.deepEqual(Object.keys(result.webSockets.codes), ['1001'])
  assert.ok(result.webSockets.codes[1001] >= 8)
  assert.equal(result.eventStreams.cut, 0)
  assert.deepEqual(result.eventStreams.errors, [])
  assert.ok(result.eventStreams.whole >= 8)
})
