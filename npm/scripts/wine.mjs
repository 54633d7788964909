// Programs of Windows under Debian's Wine: one set up once in the cache, with what it lacks.
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { libraryOfC } from './cross-build.mjs'
import { cache } from './paths.mjs'
import { ask } from './run.mjs'
import { step } from './say.mjs'

/** How to run a program of Windows here, `{ command, env, what }`, or `skipped`: what is missing for it. */
export function windows(program) {
  // Debian keeps the one for 64 bits alone out of the way; newer ones are one program for both.
  const wine = ['wine64', '/usr/lib/wine/wine64', 'wine'].find(each => ask(each, ['--version']))
  if (wine === undefined) return { skipped: 'apt-get install wine64' }
  const version = ask(wine, ['--version'])
  const folder = join(cache, version)
  try {
    if (!settled(wine, folder)) return { skipped: `${version} cannot be set up` }
  } catch (error) {
    return { skipped: `${version} cannot be set up: ${error.message}` }
  }
  const command = ['sh', '-c', filed, 'sh', wine, program]
  return { command, env: environment(folder), what: version }
}

/** Node does not write to the pipes that Wine makes of ours: its output goes by a file. */
const filed = `out=$(mktemp); "$@" >"$out" 2>&1 </dev/null; status=$?; cat "$out"; rm "$out"; exit $status`

/** Without what it would offer to fetch: neither .NET nor a browser is wanted. */
const environment = folder => ({
  WINEPREFIX: folder,
  WINEARCH: 'win64',
  WINEDEBUG: '-all',
  WINEDLLOVERRIDES: 'mscoree=;mshtml=',
})

/** Whether `folder` is a Wine that is ready. It is one as a whole or not at all: checkouts share it. */
function settled(wine, folder) {
  const done = join(folder, 'settled')
  if (existsSync(done)) return true
  step('Wine (set up, once)')
  const temporary = `${folder}.${process.pid}`
  const env = { ...process.env, ...environment(temporary) }
  const run = args => ask(wine, args, { env, timeout: 300_000 }) !== undefined
  remove(temporary)
  try {
    mkdirSync(temporary, { recursive: true })
    if (!run(['wineboot', '--init']) || !run(['winecfg', '-v', 'win10']) || !random(temporary))
      return false
    writeFileSync(join(temporary, 'settled'), '')
    if (!existsSync(done)) remove(folder)
    renameSync(temporary, folder)
    return true
  } catch (error) {
    // Another was faster.
    if (existsSync(done)) return true
    throw error
  } finally {
    remove(temporary)
  }
}

/** Its server writes for a while after the last program has ended. */
function remove(folder) {
  rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 300 })
}

/** Debian 12's has not the one function by which Rust's standard library gets random bytes. */
function random(folder) {
  const library = 'windows/system32/bcryptprimitives.dll'
  const out = join(folder, 'drive_c', library)
  if (existsSync(out)) return true
  const source = join(folder, 'random.c')
  writeFileSync(
    source,
    `__declspec(dllimport) unsigned char SystemFunction036(void *, unsigned long);
__declspec(dllexport) int ProcessPrng(void *bytes, unsigned long long length) {
  return SystemFunction036(bytes, (unsigned long)length);
}
`,
  )
  return libraryOfC(source, 'x86_64-windows-gnu', out, '-ladvapi32') !== undefined
}
