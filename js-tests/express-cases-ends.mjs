// How servers on several workers end: by signals to one or to all, while they reload.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { get } from './express-tools.mjs'

/** Requests that have reached their workers. */
async function busy(server, ms) {
  const answers = Array.from({ length: 4 }, () => get(server.port, `/slow?ms=${ms}`))
  for (let underWay = 0; underWay < 4; await sleep(10)) {
    const { workers } = await server.stats()
    underWay = workers.reduce((sum, { inFlight }) => sum + inFlight, 0)
  }
  return answers
}

const statuses = async answers => (await Promise.all(answers)).map(({ status }) => status)
const codes = ({ messages }) =>
  messages.filter(({ event }) => event === 'workerExited').map(({ code }) => code)

/** The tests of all modes, for one of them; `run` starts a server in it. */
export function ends(run) {
  test('a signal to the whole group, and another one, lets requests end', async () => {
    const server = await run({}, { detached: true })
    const { workers } = await server.stats()
    const answers = await busy(server, 1_500)
    process.kill(-server.child.pid, 'SIGTERM')
    await sleep(200)
    for (const pid of [server.child.pid, ...workers.map(({ pid }) => pid)])
      process.kill(pid, 'SIGTERM')
    assert.deepEqual(await statuses(answers), [200, 200, 200, 200])
    assert.equal(await server.exited, 0)
    assert.deepEqual(codes(server), [0, 0])
  })

  test('the end while a worker is being replaced lets its requests end', async () => {
    const server = await run()
    // Longer than a new process takes to be ready.
    const answers = await busy(server, 8_000)
    const reload = server.ask('reload')
    reload.catch(() => {})
    const isReady = ({ event }) => event === 'workerReady'
    await server.message(() => server.messages.filter(isReady).length === 3)
    await sleep(50)
    const stopped = server.stop()
    assert.deepEqual(await statuses(answers), [200, 200, 200, 200])
    assert.equal(await stopped, 0)
    assert.deepEqual(codes(server), [0, 0, 0])
  })
}
