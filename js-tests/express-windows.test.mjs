// What startServer() does on Windows, where no connection can be handed to another process.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { engineKind } from 'seawall'

const skip =
  (process.platform !== 'win32' && 'Windows only') || (engineKind() !== 'native' && 'native only')
const fixture = fileURLToPath(new URL('./fixtures/express-windows.mjs', import.meta.url))

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return String(port)
}

/** What the service says in that mode. */
async function says(mode) {
  const env = { ...process.env, NODE_TEST_CONTEXT: '', MODE: mode, PORT: await freePort() }
  const { promise, resolve } = Promise.withResolvers()
  execFile(process.execPath, [fixture], { env, timeout: 60_000 }, (_, out, errors) =>
    resolve({ out, errors }),
  )
  const { out, errors } = await promise
  const line = out.split('\n').find(each => each.startsWith('{'))
  assert.ok(line, `it said nothing: ${out}${errors}`)
  return JSON.parse(line)
}

for (const mode of ['', 'cluster', 'proxy']) {
  test(`mode ${mode || 'left out'}: workers answer`, { skip }, async () => {
    const { primary, answers } = await says(mode)
    assert.equal(answers.length, 4)
    assert.ok(!answers.includes(primary), `${primary} answered: ${answers}`)
  })
}

for (const [mode, instead] of [
  ['handoff', 'needs the native addon on Unix; use "proxy" or "cluster" here'],
  ['http', 'needs the native addon on Unix; use "proxy" or "cluster" here'],
]) {
  test(`mode ${mode}: refused, with what to take instead`, { skip }, async () => {
    assert.deepEqual(await says(mode), {
      code: 'SEAWALL_ENGINE',
      message: `startServer: \`mode\` "${mode}" ${instead}`,
    })
  })
}
