// Programs of Windows under Debian's Wine: one set up once in the cache, with what it lacks.
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { libraryOfC } from './cross-build.mjs'
import { cache } from './paths.mjs'
import { ask } from './run.mjs'
import { step } from './say.mjs'

/** How to run a program of Windows here, `{ command, env, what }`, or `skipped`: what is missing for it. */
export function windows(program) {
  // Debian keeps the one for 64 bits alone out of the way.
  const wine = ['wine64', '/usr/lib/wine/wine64'].find(each => ask(each, ['--version']))
  if (wine === undefined) return { skipped: 'apt-get install wine64' }
  const version = ask(wine, ['--version'])
  const folder = join(cache, version)
  const env = { WINEPREFIX: folder, WINEARCH: 'win64', WINEDEBUG: '-all' }
  if (!settled(wine, folder, { ...process.env, ...env })) {
    rmSync(folder, { recursive: true, force: true })
    return { skipped: `${version} cannot be set up` }
  }
  return { command: ['sh', '-c', filed, 'sh', wine, program], env, what: version }
}

/** Node does not write to the pipes that Wine makes of ours: its output goes by a file. */
const filed = `out=$(mktemp); "$@" >"$out" 2>&1 </dev/null; status=$?; cat "$out"; rm "$out"; exit $status`

function settled(wine, folder, env) {
  const done = join(folder, 'settled')
  if (existsSync(done)) return true
  step('Wine (set up, once)')
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const run = args => ask(wine, args, { env, timeout: 120_000 }) !== undefined
  if (!run(['wineboot', '--init']) || !run(['winecfg', '-v', 'win10']) || !random(folder))
    return false
  writeFileSync(done, '')
  return true
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
