// What a primary holds on to when much waits, or it can do nothing itself. Native and on Linux only.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { quiet } from './express-hostile.mjs'
import { askOnce } from './express-open.mjs'
import { endAll, get, inOneTry, native, start, within } from './express-tools.mjs'

const folder = mkdtempSync(join(tmpdir(), 'seawall-limits-'))
after(() => {
  endAll()
  rmSync(folder, { recursive: true, force: true })
})

const isLinux = process.platform === 'linux'
const isRoot = process.getuid?.() === 0
if (!isRoot) console.error('SKIPPED LOUDLY: folders of other users, which only root can make')
/** More than wait in the primary, and than the kernel keeps by the default of Node. */
const CROWD = 1024 + 511 + 300

/** How long the kernel lets the queue of a listener be. */
function longest() {
  const path = '/proc/sys/net/core/somaxconn'
  return existsSync(path) ? Number(readFileSync(path, 'latin1')) : 0
}

describe('a primary with much to hold', { skip: !(native && isLinux) && 'native, Linux' }, () => {
  test('more clients than wait in it are connected by the kernel, and served later', {
    skip: longest() < 1024 && `the kernel keeps ${longest()} connections`,
  }, async () => {
    const options = { mode: 'handoff', patienceMs: 60_000, ejectAfter: 0 }
    const server = await start({}, { options })
    const { workers } = await server.stats()
    for (const { pid } of workers) process.kill(pid, 'SIGSTOP')
    let crowd
    try {
      crowd = Array.from({ length: CROWD }, () => askOnce(server.port))
      const all = Promise.all(crowd.map(({ connected }) => connected))
      await within(30_000, all, () => `${CROWD} connections`)
      // As many as may wait, and what was offered before it was seen that nobody takes it.
      const { waiting, offered } = await server.counts()
      assert.ok(waiting <= 1024 && offered <= 128, `${waiting} and ${offered}`)
      assert.ok(waiting > 900, `${waiting}`)
    } finally {
      for (const { pid } of workers) process.kill(pid, 'SIGCONT')
    }
    const answers = await Promise.all(crowd.map(({ closed }) => closed))
    assert.equal(answers.filter(answer => answer.startsWith('HTTP/1.1 200 ')).length, CROWD)
    assert.ok(await quiet(server))
    const { accepted, handed, refused } = await server.counts()
    assert.deepEqual([accepted, handed, refused], [CROWD, CROWD, 0])
    assert.equal(await server.stop(), 0)
  })

  test('connections a worker was too late for do not hold up its end', () =>
    inOneTry(async () => {
      const options = { mode: 'proxy', patienceMs: 60_000, gracefulShutdownTimeoutMs: 30_000 }
      const server = await start({}, { options })
      const { workers } = await server.stats()
      for (const { pid } of workers) process.kill(pid, 'SIGSTOP')
      const crowd = Array.from({ length: 400 }, () => askOnce(server.port))
      await Promise.all(crowd.map(({ connected }) => connected))
      // Each is offered to one after the other, and none of them takes it.
      while ((await server.counts()).takenBack < 400) await sleep(20)
      for (const { pid } of workers) process.kill(pid, 'SIGCONT')
      const answers = await Promise.all(crowd.map(({ closed }) => closed))
      assert.equal(answers.filter(answer => answer.startsWith('HTTP/1.1 200 ')).length, 400)
      const began = performance.now()
      assert.equal(await server.stop(), 0)
      const took = performance.now() - began
      assert.ok(took < 3000, `${took} ms`)
    }))

  test('sockets meant for a balancer are closed also while the primary itself is blocked', async () => {
    const options = { requestInspectionTimeoutMs: 2000, patienceMs: 100 }
    const server = await start({ BALANCER: 'socket' }, { options })
    assert.equal((await get(server.port)).status, 200)
    assert.ok(await quiet(server))
    const fds = () => readdirSync(`/proc/${server.child.pid}/fd`).length
    const before = fds()
    let isBlocked = true
    const blocked = server.ask('blockLong').then(() => {
      isBlocked = false
    })
    await sleep(300)
    const answers = await Promise.all(Array.from({ length: 40 }, () => askOnce(server.port).closed))
    // In native code: JavaScript cannot say who is to have them.
    assert.deepEqual([...new Set(answers.map(answer => answer.slice(0, 12)))], ['HTTP/1.1 503'])
    let now = fds()
    while (isBlocked && now > before) {
      await sleep(20)
      now = fds()
    }
    assert.ok(isBlocked, 'while it could do nothing')
    assert.ok(now <= before, `${now} in place of ${before}`)
    await blocked
    // What it was to be asked about then is no more.
    assert.equal((await get(server.port)).status, 200)
    assert.ok(await quiet(server))
    assert.ok(fds() <= before)
    assert.equal(await server.stop(), 0)
  })

  test('folders that are not its own are left, whatever they are called', async () => {
    const env = { TMPDIR: folder }
    const first = await start(env)
    const [name] = readdirSync(folder).filter(name => name.includes(`-${first.child.pid}-`))
    assert.equal(await first.stop(), 0)
    assert.ok(!existsSync(join(folder, name)), 'its own is removed')
    // As a primary would have left it that was killed.
    const { pid } = spawnSync('true')
    const left = (end, make) => {
      const path = join(folder, name.replace(/-\d+-[^-]+$/, `-${pid}-${end}`))
      make(path)
      return path
    }
    const target = join(folder, 'target')
    mkdirSync(target)
    writeFileSync(join(target, 'file'), '')
    const own = left('own', mkdirSync)
    const link = left('link', path => symlinkSync(target, path))
    const file = left('file', path => writeFileSync(path, ''))
    const others =
      isRoot &&
      left('other', path => {
        mkdirSync(path)
        chownSync(path, 65_534, 65_534)
      })
    const running = left('running', () => {}).replace(`-${pid}-`, `-${process.pid}-`)
    mkdirSync(running)
    const second = await start(env)
    assert.ok(!existsSync(own), 'that of one that was killed is removed')
    for (const path of [link, join(target, 'file'), file, running]) {
      assert.ok(existsSync(path), path)
    }
    if (others) assert.ok(existsSync(others), others)
    assert.equal(await second.stop(), 0)
  })
})
