// Which addon a process looks for, by what it runs on, and what npm is told about each.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { mismatch, rehearsed } from '../npm/scripts/binary.mjs'
import { NOTICES } from '../npm/scripts/notices.mjs'
import { platformName, root } from '../npm/scripts/paths.mjs'
import {
  folderOf,
  glibc,
  manifestOf,
  platforms,
  publishedManifest,
} from '../npm/scripts/platforms.mjs'
import { buildProblems } from '../npm/scripts/release.mjs'

const inPackage = path => new URL(`../${path}`, import.meta.resolve('seawall'))
const { loadNative } = await import(inPackage('engine/native.js'))
const { version } = createRequire(import.meta.url)('seawall/package.json')

const folder = mkdtempSync(join(tmpdir(), 'seawall-platforms-'))
after(() => rmSync(folder, { recursive: true, force: true }))

/** A program of a C library, as far as the head of its file says. */
function program(loader) {
  const path = join(folder, `program-${loader.replaceAll('/', '-')}`)
  writeFileSync(path, `\x7fELF\x02\x01\x01${'\0'.repeat(600)}${loader}\0`, 'latin1')
  return path
}
const programs = {
  gnu: program('/lib64/ld-linux-x86-64.so.2'),
  musl: program('/lib/ld-musl-x86_64.so.1'),
  'gnu of a store': program('/nix/store/0-glibc-2.40/lib/ld-linux-aarch64.so.1'),
}

/** Runs `act` in what looks like another machine. */
function elsewhere({ platform, arch, execPath, report }, act) {
  const values = { platform, arch, execPath, report }
  const real = Object.keys(values).map(key => [key, Object.getOwnPropertyDescriptor(process, key)])
  for (const [key, value] of Object.entries(values)) {
    if (value !== undefined) {
      Object.defineProperty(process, key, { value, configurable: true, enumerable: true })
    }
  }
  try {
    return act()
  } finally {
    for (const [key, descriptor] of real) Object.defineProperty(process, key, descriptor)
  }
}

const addon = {
  addonVersion: () => version,
  sharesMemory: () => true,
  breakerCount: () => 7,
}

/** A `require` that finds these packages alone, and notes what it was asked for. */
function having(packages) {
  const asked = []
  const require = name => {
    asked.push(name)
    if (name in packages) return packages[name]()
    throw Object.assign(new Error(`Cannot find module '${name}'`), { code: 'MODULE_NOT_FOUND' })
  }
  return { require, asked }
}

const machines = [
  ['linux', 'x64', 'gnu', 'linux-x64-gnu'],
  ['linux', 'arm64', 'gnu', 'linux-arm64-gnu'],
  ['linux', 'arm64', 'gnu of a store', 'linux-arm64-gnu'],
  ['linux', 'x64', 'musl', 'linux-x64-musl'],
  ['linux', 'arm64', 'musl', 'linux-arm64-musl'],
  ['darwin', 'x64', undefined, 'darwin-x64'],
  ['darwin', 'arm64', undefined, 'darwin-arm64'],
  ['win32', 'x64', undefined, 'win32-x64'],
]

for (const [platform, arch, libc, name] of machines) {
  const machine = { platform, arch, execPath: programs[libc] }

  test(`${platform} ${arch} ${libc ?? ''}: its own package is loaded, and no other`, () => {
    const all = Object.keys(platforms).map(key => [`seawall-${key}`, () => addon])
    const { require, asked } = having(Object.fromEntries(all))
    const engine = elsewhere(machine, () => loadNative(require))
    assert.deepEqual(asked, [`seawall-${name}`])
    assert.deepEqual(
      [engine.kind, engine.reason, engine.breakerCount(), 'sharesMemory' in engine],
      ['native', `seawall-${name} fits`, 7, false],
    )
  })

  test(`${platform} ${arch} ${libc ?? ''}: without it, the error names what to install`, () => {
    const { require } = having({})
    assert.throws(() => elsewhere(machine, () => loadNative(require)), {
      message: `seawall-${name} is not installed: npm install seawall-${name}@${version}`,
    })
  })
}

test('every platform that is published is looked for, and no other', () => {
  const found = machines.map(([, , , name]) => name)
  assert.deepEqual([...new Set(found)].sort(), Object.keys(platforms).sort())
})

test('a platform without an addon is named', () => {
  for (const [platform, arch] of [
    ['freebsd', 'x64'],
    ['win32', 'arm64'],
    ['sunos', 'x64'],
  ]) {
    assert.throws(() => elsewhere({ platform, arch }, () => loadNative(having({}).require)), {
      message: `seawall has no addon for ${platform}-${arch}`,
    })
  }
})

test('an addon that somebody built for such a platform is taken all the same', () => {
  const { require } = having({ 'seawall-freebsd-x64': () => addon })
  const engine = elsewhere({ platform: 'freebsd', arch: 'x64' }, () => loadNative(require))
  assert.equal(engine.kind, 'native')
})

for (const [what, header, name] of [
  ['glibc', { glibcVersionRuntime: '2.41' }, 'linux-x64-gnu'],
  ['no glibc', {}, 'linux-x64-musl'],
]) {
  test(`a program whose file says nothing is asked for its report: ${what}`, () => {
    const excluded = []
    const report = {
      excludeNetwork: false,
      getReport() {
        excluded.push(report.excludeNetwork)
        return { header }
      },
    }
    for (const execPath of [program('nothing'), join(folder, 'gone')]) {
      const { require, asked } = having({})
      const machine = { platform: 'linux', arch: 'x64', execPath, report }
      assert.throws(() => elsewhere(machine, () => loadNative(require)))
      assert.equal(asked[0], `seawall-${name}`)
    }
    // The network can take seconds to describe; whoever wants it in reports still gets it.
    assert.deepEqual([excluded, report.excludeNetwork], [[true, true], false])
  })
}

test('an addon of another version is refused, with both versions and what to do', () => {
  const name = `seawall-${platformName()}`
  for (const [found, said] of [
    [{ ...addon, addonVersion: () => '0.0.9' }, '0.0.9'],
    [{ sharesMemory: () => true }, 'unknown'],
  ]) {
    const { require } = having({ [name]: () => found })
    assert.throws(() => loadNative(require), {
      message: `${name} is version ${said} and seawall is ${version}: npm install ${name}@${version}`,
    })
  }
})

test('an addon that the system does not load says what the system said', () => {
  const name = `seawall-${platformName()}`
  const cause = Object.assign(new Error('libc.so.6: not found\nand more'), {
    code: 'ERR_DLOPEN_FAILED',
  })
  const require = having({
    [name]() {
      throw cause
    },
  }).require
  assert.throws(() => loadNative(require), {
    message: `${name} cannot be loaded: libc.so.6: not found`,
    cause,
  })
})

test('a runtime that copies memory gets no addon', () => {
  const copying = { ...addon, sharesMemory: () => false }
  const { require } = having({ [`seawall-${platformName()}`]: () => copying })
  assert.throws(() => loadNative(require), { message: 'this runtime copies the memory of addons' })
})

test('platform packages say where they fit, at the version of the package', () => {
  const { optionalDependencies } = publishedManifest()
  const names = Object.keys(platforms).map(name => `seawall-${name}`)
  assert.deepEqual(Object.keys(optionalDependencies), names)
  for (const name of Object.keys(platforms)) {
    const manifest = manifestOf(name)
    const [os, cpu, libc] = name.split('-')
    assert.equal(optionalDependencies[manifest.name], version)
    assert.deepEqual(
      [manifest.name, manifest.version, manifest.os, manifest.cpu, manifest.main],
      [`seawall-${name}`, version, [os], [cpu], 'seawall.node'],
    )
    assert.deepEqual(manifest.libc, libc && [libc === 'gnu' ? 'glibc' : libc])
    assert.deepEqual(manifest.engines, publishedManifest().engines)
    assert.deepEqual(manifest.files, ['seawall.node', 'LICENSE', NOTICES, 'README.md'])
  }
})

test('the sources ask no registry for platform packages', () => {
  const sources = JSON.parse(readFileSync(join(root, 'npm/package.json'), 'utf8'))
  assert.equal(sources.optionalDependencies, undefined)
})

/** As much of a library of Windows as says which others it needs. */
function dll(...names) {
  const bytes = Buffer.alloc(1024)
  const name = index => 640 + index * 32
  bytes.write('MZ')
  bytes.writeUInt32LE(128, 0x3c)
  bytes.write('PE', 128)
  // The machine, one section, and how long what follows is.
  bytes.writeUInt16LE(34404, 132)
  bytes.writeUInt16LE(1, 134)
  bytes.writeUInt16LE(240, 148)
  bytes.writeUInt32LE(0x1000, 152 + 120)
  // The section: its length, where it is loaded and where it stands.
  for (const [index, value] of [512, 0x1000, 512, 512].entries()) {
    bytes.writeUInt32LE(value, 392 + 8 + index * 4)
  }
  for (const [index, needed] of names.entries()) {
    bytes.writeUInt32LE(0x1000 + name(index) - 512, 512 + index * 20 + 12)
    bytes.write(needed, name(index))
  }
  const file = join(folder, `${names.join('-')}.dll`)
  writeFileSync(file, bytes)
  return file
}

test('an addon for Windows needs nothing that Windows does not have', () => {
  const windows = platforms['win32-x64']
  const system = ['KERNEL32.dll', 'api-ms-win-crt-heap-l1-1-0.dll']
  assert.equal(mismatch(dll(...system), windows), undefined)
  assert.match(mismatch(dll(...system), platforms['linux-x64-gnu']), /made for win32-x64/)
  for (const name of [
    'VCRUNTIME140.dll',
    'libgcc_s_seh-1.dll',
    'libwinpthread-1.dll',
    'libnode.dll',
  ]) {
    assert.equal(
      mismatch(dll(...system, name), windows),
      `it needs ${name}, which Windows does not have`,
    )
  }
})

test('an addon for Windows that was linked to be tried is not published', () => {
  const folders = name => join(folder, 'built', name)
  const problem = (linker, said) => {
    const bytes = readFileSync(dll('KERNEL32.dll'))
    bytes[154] = linker
    bytes.write(said, 900)
    mkdirSync(folders('win32-x64'), { recursive: true })
    writeFileSync(join(folders('win32-x64'), 'seawall.node'), bytes)
    return buildProblems(folders).find(each => each.includes('win32-x64'))
  }
  const missing = `the addon for win32-x64: ${NOTICES} is missing beside it`
  assert.equal(problem(14, ''), missing)
  for (const [linker, said] of [
    [2, ''],
    [14, 'Mingw-w64 runtime failure:'],
  ]) {
    assert.match(problem(linker, said), /^the addon for win32-x64: it is linked with MinGW/)
  }
  // Those of other systems have no such stand-in.
  if (process.platform !== 'win32') {
    assert.equal(rehearsed(join(folderOf(platformName()), 'seawall.node')), undefined)
  }
})

test('an addon in the package of another platform is found out', () => {
  const file = join(folderOf(platformName()), 'seawall.node')
  for (const [name, platform] of Object.entries(platforms)) {
    const wrong = mismatch(file, platform)
    if (name === platformName()) assert.equal(wrong, undefined)
    else assert.match(String(wrong), /it is made for|it needs/, name)
  }
  assert.match(glibc, /^2\.\d+$/)
  if (platformName().endsWith('-gnu')) {
    assert.match(String(mismatch(file, platforms[platformName()], '2.1')), /^it needs glibc 2\.\d+/)
  }
})
