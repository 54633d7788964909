// @ts-check
// Private database servers for tests: each in a folder of its own on a free port of the loopback,
// stopped by pid whatever happens to the test.
import { execFileSync, spawn } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { program } from './find-servers.mjs'

/**
 * A server that runs for a test.
 * @typedef {object} Server
 * @property {string} host
 * @property {number} port
 * @property {string} user
 * @property {() => Promise<void>} start again after it was killed; resolves when it answers
 * @property {() => Promise<void>} kill at once, without a word to its clients (SIGKILL)
 * @property {(signal?: NodeJS.Signals) => Promise<void>} stop in order
 * @property {() => Promise<void>} remove stop it and delete its folder
 */

const POSTGRES = newest('/usr/lib/postgresql', 'bin')
const REDIS = program('redis-server')
const MEMCACHED = program('memcached')
const MARIADBD = ['/usr/sbin/mariadbd', '/usr/sbin/mysqld'].find(existsSync)

/**
 * Why the tests of a server are skipped, `false` if they run. With SEAWALL_REQUIRE_SERVERS=1 a
 * missing server is a failure instead.
 * @param {'postgres' | 'mariadb' | 'redis' | 'memcached'} name
 * @returns {string | false}
 */
export function skipped(name) {
  const found = { postgres: POSTGRES, mariadb: MARIADBD, redis: REDIS, memcached: MEMCACHED }
  if (found[name]) return false
  const reason = `${name} IS NOT INSTALLED: its failures are NOT tested here`
  if (process.env.SEAWALL_REQUIRE_SERVERS === '1') throw new Error(reason)
  console.error(`\n!!! SKIPPED: ${reason}\n`)
  return reason
}

/**
 * A fresh PostgreSQL: user `postgres`, database `postgres`, no password.
 * @param {Record<string, string | number>} [settings]
 * @returns {Promise<Server>}
 */
export async function postgres(settings = {}) {
  if (!POSTGRES) throw new Error('no PostgreSQL on this machine')
  const owner = account('postgres')
  const folder = privateFolder('postgres', owner)
  const data = join(folder, 'data')
  execFileSync(
    join(POSTGRES, 'initdb'),
    ['-D', data, '-U', 'postgres', '--auth=trust', '--no-sync', '-E', 'UTF8', '--locale=C'],
    { ...owner, cwd: folder, stdio: 'pipe' },
  )
  const all = {
    fsync: 'off',
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    ...settings,
  }
  const options = Object.entries(all).flatMap(([key, value]) => ['-c', `${key}=${value}`])
  return run({
    folder,
    user: 'postgres',
    command: port => [join(POSTGRES, 'postgres'), ['-D', data, '-p', String(port), ...options]],
    owner,
    ready: 'database system is ready to accept connections',
    orderly: 'SIGINT',
  })
}

/**
 * A fresh MariaDB: user `root`, database `test`, no password.
 * @param {Record<string, string | number>} [settings]
 * @returns {Promise<Server>}
 */
export async function mariadb(settings = {}) {
  if (!MARIADBD) throw new Error('no MariaDB on this machine')
  const owner = account('mysql')
  const folder = privateFolder('mariadb', owner)
  const data = join(folder, 'data')
  const base = ['--no-defaults', `--datadir=${data}`]
  execFileSync(
    'mariadb-install-db',
    [...base, '--auth-root-authentication-method=normal', '--skip-name-resolve'],
    { ...owner, cwd: folder, stdio: 'pipe' },
  )
  const all = { 'bind-address': '127.0.0.1', 'innodb-flush-log-at-trx-commit': 0, ...settings }
  const options = Object.entries(all).map(([key, value]) => `--${key}=${value}`)
  return run({
    folder,
    user: 'root',
    command: port => [
      MARIADBD,
      [
        ...base,
        '--skip-name-resolve',
        `--socket=${join(folder, 'sock')}`,
        `--pid-file=${join(folder, 'pid')}`,
        `--port=${port}`,
        ...options,
      ],
    ],
    owner,
    ready: 'ready for connections',
    orderly: 'SIGTERM',
  })
}

/**
 * A fresh Redis that keeps nothing on disk.
 * @returns {Promise<Server>}
 */
export async function redis() {
  if (!REDIS) throw new Error('no Redis on this machine')
  const folder = mkdtempSync(join(tmpdir(), 'seawall-redis-'))
  return run({
    folder,
    user: '',
    command: port => [
      REDIS,
      ['--bind', '127.0.0.1', '--port', String(port), '--save', '', '--appendonly', 'no'],
    ],
    owner: {},
    answers: true,
    orderly: 'SIGTERM',
  })
}

/**
 * A fresh memcached.
 * @returns {Promise<Server>}
 */
export async function memcached() {
  if (!MEMCACHED) throw new Error('no memcached on this machine')
  const folder = mkdtempSync(join(tmpdir(), 'seawall-memcached-'))
  // It refuses to run as root unless told as whom.
  const user = process.getuid?.() === 0 ? ['-u', 'root'] : []
  return run({
    folder,
    user: '',
    command: port => [MEMCACHED, ['-l', '127.0.0.1', '-p', String(port), '-U', '0', ...user]],
    owner: {},
    answers: true,
    orderly: 'SIGTERM',
  })
}

/** What runs now, so that a test process that ends takes its servers along. */
const running = new Set()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** @returns {Promise<Server>} */
async function run({ folder, user, command, owner, ready = '', answers = false, orderly }) {
  const port = await freePort()
  const [file, args] = command(port)
  /** @type {import('node:child_process').ChildProcess | undefined} */
  let child
  let log = ''

  const ended = () => child === undefined || child.exitCode !== null || child.signalCode !== null
  const end = async signal => {
    if (ended()) return
    const gone = new Promise(resolve => child?.once('exit', resolve))
    child?.kill(signal)
    const late = setTimeout(() => child?.kill('SIGKILL'), 20_000)
    await gone
    clearTimeout(late)
  }
  const server = {
    host: '127.0.0.1',
    port,
    user,
    async start() {
      if (!ended()) return
      log = ''
      child = spawn(file, args, { ...owner, cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
      running.add(child)
      child.once('exit', () => running.delete(child))
      child.stderr?.setEncoding('utf8').on('data', text => {
        log += text
      })
      const deadline = Date.now() + 60_000
      while (!(log.includes(ready) && (!answers || (await accepts(port))))) {
        if (ended()) throw new Error(`${file} ended while starting:\n${log}`)
        if (Date.now() > deadline) throw new Error(`${file} did not start:\n${log}`)
        await sleep(20)
      }
    },
    kill: () => end('SIGKILL'),
    stop: (signal = orderly) => end(signal),
    async remove() {
      await end('SIGKILL')
      // Children of a killed postmaster need a moment to notice.
      rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
    },
  }
  try {
    await server.start()
  } catch (error) {
    await server.remove()
    throw error
  }
  return server
}

/** The account a server runs as: databases refuse to run as root. */
function account(name) {
  if (process.getuid?.() !== 0) return {}
  const id = flag => Number(execFileSync('id', [flag, name], { encoding: 'utf8' }))
  return { uid: id('-u'), gid: id('-g') }
}

function privateFolder(name, { uid, gid }) {
  const folder = mkdtempSync(join(tmpdir(), `seawall-${name}-`))
  chmodSync(folder, 0o700)
  if (uid !== undefined) chownSync(folder, uid, gid)
  return folder
}

/** Whether somebody takes connections at a port. */
function accepts(port) {
  return new Promise(resolve => {
    const socket = net.connect(port, '127.0.0.1')
    const end = taken => {
      socket.destroy()
      resolve(taken)
    }
    socket.once('connect', () => end(true)).once('error', () => end(false))
  })
}

/** @returns {Promise<number>} */
function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer().once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = /** @type {net.AddressInfo} */ (server.address())
      server.close(() => resolve(port))
    })
  })
}

/** The newest version below a folder, with `inside` appended; undefined where there is none. */
function newest(folder, inside) {
  const versions = existsSync(folder) ? readdirSync(folder).map(Number).filter(Boolean) : []
  return versions.length > 0 ? join(folder, String(Math.max(...versions)), inside) : undefined
}
