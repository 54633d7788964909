// How much later the first byte of a TLS handshake comes over a connection that is handed over than
// from the same server directly: the same ClientHello to each in turn, and the medians. Part of
// `npm run bench:balance`.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'

const ROUNDS = Number(process.env.TLS_ROUNDS ?? 400)
const server = new URL('./balance-server.mjs', import.meta.url).pathname
const folder = mkdtempSync(join(tmpdir(), 'seawall-tls-'))
const key = '-keyout key.pem -out cert.pem -subj /CN=a.test'.split(' ')
const curve = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2'.split(' ')
execFileSync('openssl', [...curve, ...key], { cwd: folder, stdio: 'ignore' })

/** What a TLS client says first. */
async function clientHello() {
  const listener = createServer().listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const client = connectTls({ ...listener.address(), host: '127.0.0.1', servername: 'a.test' })
  client.on('error', () => {})
  const [socket] = await once(listener, 'connection')
  const [hello] = await once(socket, 'data')
  client.destroy()
  socket.destroy()
  listener.close()
  return hello
}

const hello = await clientHello()

/** In ms, from the beginning of the connection to the first byte of the server. */
async function firstByte(port) {
  const begun = performance.now()
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  socket.write(hello)
  await once(socket, 'data')
  const took = performance.now() - begun
  socket.destroy()
  return took
}

async function run(mode) {
  const listener = createServer().listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const { port } = listener.address()
  listener.close()
  const env = { ...process.env, MODE: mode, PORT: String(port), KEY: folder }
  const child = spawn(process.execPath, [server], { env, stdio: ['ignore', 'ignore', 'inherit'] })
  for (let n = 0; ; n++) {
    const up = await firstByte(port).then(
      () => true,
      () => false,
    )
    if (up) return { port, child }
    if (n > 100) throw new Error(`${mode} does not answer`)
    await sleep(100)
  }
}

const median = values => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]

const kinds = { direct: 'backend', handoff: 'handoff', 'handoff, by the name asked for': 'asking' }
const running = {}
try {
  for (const [name, mode] of Object.entries(kinds))
    running[name] = { ...(await run(mode)), took: [] }
  for (let round = 0; round < ROUNDS; round++) {
    for (const { port, took } of Object.values(running)) {
      const ms = await firstByte(port)
      // The first ones compile.
      if (round >= ROUNDS / 10) took.push(ms)
    }
  }
  console.log('\nfirst byte of a TLS handshake: median in ms, later than direct')
  for (const [name, { took }] of Object.entries(running)) {
    const [now, direct] = [median(took), median(running.direct.took)]
    console.log(`  ${name.padEnd(32)} ${now.toFixed(3)} ${(now - direct).toFixed(3).padStart(7)}`)
  }
} finally {
  for (const { child } of Object.values(running)) child.kill('SIGTERM')
  rmSync(folder, { recursive: true, force: true })
}
