// Requests balanced one by one, where every worker says that it can bear no more. Native and on Unix only.
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { ask, expectQuiet } from './express-http-tools.mjs'
import { endAll, native, start } from './express-tools.mjs'

after(endAll)

const front = (http = {}, CALM = '1') =>
  start({ FRAMEWORK: 'front', CALM }, { options: { mode: 'http', http } })

const together = (server, count, path) =>
  Promise.all(Array.from({ length: count }, () => ask(server.port, path, { ms: 30_000 })))

const withStatus = (answers, wanted) => answers.filter(({ status }) => status === wanted).length

/** Has every worker say that its pressure is `is`, and waits until the front knows. */
async function press(server, is, afterMs = 0) {
  const pids = new Set()
  const end = performance.now() + 20_000
  while (pids.size < 2) {
    assert.ok(performance.now() < end, `only ${pids.size} of them`)
    const { status, body } = await ask(server.port, `/pressure?is=${is}&afterMs=${afterMs}`)
    assert.equal(status, 200)
    pids.add(body.pid)
  }
}

async function known(server, is) {
  const end = performance.now() + 20_000
  for (;;) {
    const { workers } = await server.stats()
    if (workers.every(({ pressure }) => pressure === is)) return
    assert.ok(performance.now() < end, JSON.stringify(workers))
    await sleep(20)
  }
}

describe('requests to workers under pressure', { skip: !native && 'native only' }, () => {
  test('the real one of loops that stand still is seen, and most requests get 503', async () => {
    const server = await front({ maxPressure: 0.05 }, '')
    let shed = 0
    // All of them again and again, until their own words are heard.
    for (let n = 0; n < 12 && shed === 0; n++) {
      shed = withStatus(await together(server, 6, '/block?ms=400'), 503)
    }
    assert.ok(shed > 0)
    assert.ok((await server.counts()).http.shed >= shed)
    await expectQuiet(server)
    assert.equal(await server.stop(), 0)
  })

  test('whoever has nothing to do is asked all the same, and of the others nearly all are refused', async () => {
    const server = await front()
    await press(server, 1)
    await known(server, 1)
    for (let n = 0; n < 10; n++) assert.equal((await ask(server.port, '/')).status, 200)
    const answers = await together(server, 60, '/slow?ms=1000')
    const served = withStatus(answers, 200)
    assert.ok(served >= 2 && served < 30, `${served}`)
    assert.equal(withStatus(answers, 503), 60 - served)
    const { headers } = answers.find(({ status }) => status === 503)
    assert.match(headers['retry-after'], /^[12]$/)
    await expectQuiet(server)
    assert.equal(await server.stop(), 0)
  })

  test('probes are answered under any pressure', async () => {
    const server = await front()
    await press(server, 1)
    await known(server, 1)
    const busy = together(server, 20, '/slow?ms=1000')
    await sleep(100)
    assert.equal(withStatus(await together(server, 20, '/livez?verbose'), 200), 20)
    assert.ok(withStatus(await busy, 503) > 0)
    await expectQuiet(server)
    assert.equal(await server.stop(), 0)
  })

  test('the share that is refused is as large as the pressure is beyond what was allowed', async () => {
    const server = await front({ maxPressure: 0.5 })
    await press(server, 0.6)
    await known(server, 0.6)
    // A fifth of all.
    const refused = withStatus(await together(server, 200, '/slow?ms=300'), 503)
    assert.ok(refused > 10 && refused < 80, `${refused}`)
    await expectQuiet(server)
    assert.equal(await server.stop(), 0)
  })

  test('it is over by itself: workers nobody asks grow calm, and the front knows', async () => {
    const server = await front()
    await press(server, 1)
    await known(server, 1)
    await press(server, 0, 300)
    await known(server, 0)
    assert.equal(withStatus(await together(server, 40, '/slow?ms=200'), 200), 40)
    await expectQuiet(server)
    assert.equal(await server.stop(), 0)
  })
})
