// What a shared library says of itself: for which system and processor it was made, and what it needs
// there. An addon in the package of another platform would be found out by its users.
import { readFileSync } from 'node:fs'

/**
 * `{ os, cpu, needs, glibc }`: as in the table of platforms, with the libraries it asks for and the
 * newest version of glibc among them, if any.
 */
export function inspect(file) {
  const bytes = readFileSync(file)
  if (bytes.length > 64) {
    if (bytes.readUInt32BE(0) === 0x7f454c46) return elf(bytes)
    if (bytes.readUInt32LE(0) === 0xfeedfacf) return machO(bytes)
    if (bytes.readUInt16LE(0) === 0x5a4d) return pe(bytes)
  }
  throw new Error(`${file} is no shared library`)
}

/** What keeps `file` from being the addon of a platform; nothing where it is. */
export function mismatch(file, { os, cpu, libc }, newest) {
  const found = inspect(file)
  if (found.os !== os || found.cpu !== cpu) {
    return `it is made for ${found.os}-${found.cpu}`
  }
  const beside = found.needs.filter(name => notOfWindows.test(name))
  if (os === 'win32' && beside.length > 0) {
    return `it needs ${beside.join(', ')}, which Windows does not have`
  }
  const musl = found.needs.some(name => /^libc\.musl|^libc\.so$/.test(name))
  const glibc = found.needs.includes('libc.so.6')
  if (libc === 'glibc' && (musl || !glibc)) return `it needs ${found.needs.join(', ')}, not glibc`
  if (libc === 'musl' && glibc) return 'it needs glibc'
  if (found.glibc && newest && compare(found.glibc, newest) > 0) {
    return `it needs glibc ${found.glibc}, ${newest} is allowed`
  }
  return undefined
}

/**
 * Why `file` is not to be published; nothing where it may be. An addon for Windows is linked by Visual
 * Studio: one of MinGW is only tried. Its runtime says its name, whoever linked it.
 */
export function rehearsed(file) {
  const bytes = readFileSync(file)
  if (bytes.length < 64 || bytes.readUInt16LE(0) !== 0x5a4d) return undefined
  const linker = bytes[bytes.readUInt32LE(0x3c) + 26]
  const mingw = linker !== 14 || /mingw-w64|__mingw/i.test(bytes.toString('latin1'))
  return mingw ? 'it is linked with MinGW, to be tried and not published' : undefined
}

/** Libraries that compilers and installations of theirs bring along; and Node, which is a program here. */
const notOfWindows = /^(vcruntime|msvcp|msvcr\d|concrt|ucrtbased|lib)/i

function compare(a, b) {
  const [one, two] = [a, b].map(version => version.split('.').map(Number))
  return one[0] - two[0] || one[1] - two[1]
}

const text = (bytes, at) => bytes.toString('latin1', at, bytes.indexOf(0, at))

function elf(bytes) {
  const cpu = { 62: 'x64', 183: 'arm64' }[bytes.readUInt16LE(18)] ?? 'unknown'
  const headers = Number(bytes.readBigUInt64LE(32))
  const [size, count] = [bytes.readUInt16LE(54), bytes.readUInt16LE(56)]
  const segments = Array.from({ length: count }, (_, index) => {
    const at = headers + index * size
    const word = offset => Number(bytes.readBigUInt64LE(at + offset))
    return {
      type: bytes.readUInt32LE(at),
      offset: word(8),
      address: word(16),
      length: word(32),
    }
  })
  const place = address => {
    const found = segments.find(
      ({ type, address: from, length }) => type === 1 && address >= from && address < from + length,
    )
    return found.offset + address - found.address
  }
  const dynamic = segments.find(({ type }) => type === 2)
  const entries = []
  for (let at = dynamic.offset; at < dynamic.offset + dynamic.length; at += 16) {
    entries.push([Number(bytes.readBigInt64LE(at)), Number(bytes.readBigUInt64LE(at + 8))])
  }
  const entry = wanted => entries.find(([tag]) => tag === wanted)?.[1]
  const strings = place(entry(5))
  const needs = entries.filter(([tag]) => tag === 1).map(([, at]) => text(bytes, strings + at))
  const versions = entry(0x6ffffffe) === undefined ? [] : needed(bytes, place(entry(0x6ffffffe)))
  const glibc = versions
    .map(at => /^GLIBC_(\d+\.\d+)/.exec(text(bytes, strings + at))?.[1])
    .filter(Boolean)
    .sort(compare)
    .at(-1)
  return { os: 'linux', cpu, needs, glibc }
}

/** The places of the names of the versions asked for (`.gnu.version_r`). */
function needed(bytes, from) {
  const names = []
  for (let at = from; ; ) {
    const count = bytes.readUInt16LE(at + 2)
    let each = at + bytes.readUInt32LE(at + 8)
    for (let index = 0; index < count; index++) {
      names.push(bytes.readUInt32LE(each + 8))
      each += bytes.readUInt32LE(each + 12)
    }
    const next = bytes.readUInt32LE(at + 12)
    if (next === 0) return names
    at += next
  }
}

function machO(bytes) {
  const cpu = { 16777223: 'x64', 16777228: 'arm64' }[bytes.readUInt32LE(4)] ?? 'unknown'
  const needs = []
  let at = 32
  for (let index = bytes.readUInt32LE(16); index > 0; index--) {
    // LC_LOAD_DYLIB
    if (bytes.readUInt32LE(at) === 0xc) needs.push(text(bytes, at + bytes.readUInt32LE(at + 8)))
    at += bytes.readUInt32LE(at + 4)
  }
  return { os: 'darwin', cpu, needs }
}

function pe(bytes) {
  const header = bytes.readUInt32LE(0x3c)
  const cpu = { 34404: 'x64', 43620: 'arm64' }[bytes.readUInt16LE(header + 4)] ?? 'unknown'
  const optional = header + 24
  const after = optional + bytes.readUInt16LE(header + 20)
  const sections = Array.from({ length: bytes.readUInt16LE(header + 6) }, (_, index) => {
    const at = after + index * 40
    const [length, address, , offset] = [8, 12, 16, 20].map(each => bytes.readUInt32LE(at + each))
    return { length, address, offset }
  })
  const place = address => {
    const found = sections.find(
      ({ address: from, length }) => address >= from && address < from + length,
    )
    return found.offset + address - found.address
  }
  // The second table of the directory: who is imported from, 20 bytes each, the last all zero.
  const imports = bytes.readUInt32LE(optional + 112 + 8)
  const needs = []
  for (let at = imports && place(imports); at && bytes.readUInt32LE(at + 12); at += 20) {
    needs.push(text(bytes, place(bytes.readUInt32LE(at + 12))))
  }
  return { os: 'win32', cpu, needs }
}
