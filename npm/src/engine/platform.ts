import { closeSync, openSync, readSync } from 'node:fs'

/** The platforms an addon is published for. */
const PUBLISHED = new Set([
  'linux-x64-gnu',
  'linux-arm64-gnu',
  'linux-x64-musl',
  'linux-arm64-musl',
  'darwin-x64',
  'darwin-arm64',
  'win32-x64',
])

/** How the platform this process runs on is called in the names of the platform packages. */
export function platformName(): string {
  const name = `${process.platform}-${process.arch}`
  return process.platform === 'linux' ? `${name}-${libc()}` : name
}

/** Whether npm has an addon of that name. */
export function isPublished(name: string): boolean {
  return PUBLISHED.has(name)
}

/**
 * The C library this program runs on: by the loader that its file names, which takes some 20 µs.
 * Node's report knows too, but takes milliseconds.
 */
function libc(): 'gnu' | 'musl' {
  const loader = programHead()
  if (loader.includes('/ld-musl-')) return 'musl'
  if (loader.includes('/ld-linux')) return 'gnu'
  return reportsGlibc() ? 'gnu' : 'musl'
}

/** The beginning of the running program, where the headers of its file are; empty where it cannot be read. */
function programHead(): string {
  try {
    const file = openSync(process.execPath, 'r')
    try {
      const bytes = Buffer.alloc(4096)
      return bytes.toString('latin1', 0, readSync(file, bytes, 0, bytes.length, 0))
    } finally {
      closeSync(file)
    }
  } catch {
    return ''
  }
}

function reportsGlibc(): boolean {
  const report = process.report as { excludeNetwork?: boolean; getReport(): object } | undefined
  if (report === undefined) return true
  // Names of the machine's connections would be looked up, which can take seconds.
  const before = report.excludeNetwork
  report.excludeNetwork = true
  try {
    const { header } = report.getReport() as { header?: { glibcVersionRuntime?: string } }
    return header?.glibcVersionRuntime !== undefined
  } finally {
    if (before !== undefined) report.excludeNetwork = before
  }
}
