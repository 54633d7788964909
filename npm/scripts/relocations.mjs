// Relative relocations as older loaders read them. Libraries that are linked with packed ones (DT_RELR)
// end a program at once under a musl before 1.2.4, which passes them over.
import { readFileSync, writeFileSync } from 'node:fs'

const LOAD = 1
const DYNAMIC = 2
/** Tags of the dynamic section: each of the packed table, and what takes its place. */
const RELR = { table: 36, size: 35, entry: 37 }
const REL = { table: 17, size: 18, entry: 19 }
/** `R_X86_64_RELATIVE` and `R_AARCH64_RELATIVE`, by the machine of the file. */
const RELATIVE = { 62: 8, 183: 1027 }

/**
 * Unpacks the relative relocations of a shared library of 64 bits in its file; false where there are
 * none. The table goes behind all else, into the last part that is loaded.
 */
export function unpackRelocations(file) {
  const bytes = readFileSync(file)
  const number = at => Number(bytes.readBigUInt64LE(at))
  const set = (at, value) => bytes.writeBigUInt64LE(BigInt(value), at)
  const headers = Array.from({ length: bytes.readUInt16LE(56) }, (_, index) => {
    const at = number(32) + index * bytes.readUInt16LE(54)
    const [offset, address] = [number(at + 8), number(at + 16)]
    return { at, type: bytes.readUInt32LE(at), offset, address, inFile: number(at + 32) }
  })
  const loaded = headers.filter(({ type }) => type === LOAD)
  const place = address => {
    const part = loaded.find(
      ({ address: from, inFile }) => address >= from && address < from + inFile,
    )
    return address - part.address + part.offset
  }

  const entries = new Map()
  const dynamic = headers.find(({ type }) => type === DYNAMIC)
  for (let at = dynamic.offset; number(at) !== 0; at += 16) entries.set(number(at), at)
  if (!entries.has(RELR.table)) return false
  if (entries.has(REL.table)) throw new Error(`${file} has a table of both kinds`)

  const from = place(number(entries.get(RELR.table) + 8))
  const words = number(entries.get(RELR.size) + 8) / 8
  const addresses = unpack(
    Array.from({ length: words }, (_, index) => bytes.readBigUInt64LE(from + 8 * index)),
  )
  const table = Buffer.alloc(addresses.length * 16)
  for (const [index, address] of addresses.entries()) {
    table.writeBigUInt64LE(address, index * 16)
    table.writeBigUInt64LE(BigInt(RELATIVE[bytes.readUInt16LE(18)]), index * 16 + 8)
  }

  // What is zero in memory alone is written out, and sections, which only linkers read, are let go.
  const last = loaded.reduce((one, two) => (two.address > one.address ? two : one))
  const memory = Math.ceil(number(last.at + 40) / 8) * 8
  const replaced = [
    [RELR.table, REL.table, last.address + memory],
    [RELR.size, REL.size, table.length],
    [RELR.entry, REL.entry, 16],
  ]
  for (const [before, tag, value] of replaced) {
    set(entries.get(before), tag)
    set(entries.get(before) + 8, value)
  }
  set(last.at + 32, memory + table.length)
  set(last.at + 40, memory + table.length)
  set(40, 0)
  bytes.writeUInt16LE(0, 60)
  bytes.writeUInt16LE(0, 62)
  const zeros = Buffer.alloc(memory - last.inFile)
  writeFileSync(file, Buffer.concat([bytes.subarray(0, last.offset + last.inFile), zeros, table]))
  return true
}

/** The places that packed words stand for: an even one is a place, an odd one tells of 63 words after it. */
function unpack(words) {
  const places = []
  let next = 0n
  for (const word of words) {
    if ((word & 1n) === 0n) {
      places.push(word)
      next = word + 8n
      continue
    }
    for (let bit = 1n; bit < 64n; bit++) {
      if ((word >> bit) & 1n) places.push(next + 8n * (bit - 1n))
    }
    next += 8n * 63n
  }
  return places
}
