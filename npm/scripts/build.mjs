// Builds the package: the addon of this platform, the WASM engine, the TypeScript.
// Runs on any Node from 20 on. `npm run build`, or `npm run build -- native|wasm|ts` for one part.
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { dist, platformName, root, targetDir, wasmParts } from './paths.mjs'
import { placeAddon, platformOf } from './platforms.mjs'
import { must } from './run.mjs'
import { main, note, Stop, seconds, step } from './say.mjs'
import { markBuilt } from './stale.mjs'

function native() {
  step('native addon (cargo, release)')
  must('cargo', ['build', '--release', '--locked', '-p', 'seawall-node'])
  const name = platformName()
  placeAddon(name, join(targetDir, 'release', platformOf(name).library))
}

async function wasm() {
  const { modules } = await import('./wasm.mjs')
  await modules()
}

async function ts() {
  step('TypeScript (tsc for types, esbuild for code)')
  clean()
  must(join(root, 'node_modules/.bin/tsc'), ['-p', 'npm/tsconfig.json', '--emitDeclarationOnly'])
  const src = join(root, 'npm/src')
  const { modules } = await import('./modules.mjs')
  const sources = readdirSync(src, { recursive: true }).map(name => name.replaceAll('\\', '/'))
  await modules(sources.filter(name => name.endsWith('.ts') && !name.endsWith('.d.ts')))
  await commonjs()
  for (const folder of Object.values(wasmParts)) {
    for (const name of ['deno.js', 'edge-light.js', 'workerd.js']) {
      cpSync(join(src, folder, name), join(dist, folder, name))
    }
  }
  cpSync(join(root, 'README.md'), join(root, 'npm/README.md'))
}

/** What is a function, as `require` gives it: one file, with nothing to read beside it. */
async function commonjs() {
  const { build } = await import('esbuild')
  const src = join(root, 'npm/src/fastify')
  await build({
    entryPoints: [join(src, 'plugin.ts')],
    outfile: join(dist, 'fastify/index.cjs'),
    bundle: true,
    format: 'cjs',
    platform: 'node',
    target: 'node22',
    minifyWhitespace: true,
    minifySyntax: true,
    footer: { js: 'module.exports = module.exports.fastifyUnderPressure' },
    external: ['seawall/*'],
    logLevel: 'warning',
  })
  cpSync(join(src, 'index.d.cts'), join(dist, 'fastify/index.d.cts'))
}

/** Empties `dist` but for what the WASM build put there: files of sources that are gone would be packed. */
function clean() {
  const kept = Object.entries(wasmParts)
    .flatMap(([part, folder]) => [
      `${part}.wasm`,
      `${folder}/wasm-glue.js`,
      `${folder}/wasm-bytes.js`,
    ])
    .map(name => join(dist, name))
    .filter(existsSync)
    .map(path => [path, readFileSync(path)])
  rmSync(dist, { recursive: true, force: true })
  for (const folder of Object.values(wasmParts)) mkdirSync(join(dist, folder), { recursive: true })
  for (const [path, bytes] of kept) writeFileSync(path, bytes)
}

const parts = { native, wasm, ts }

/** Builds one part and notes from which sources. */
export async function build(part) {
  const started = performance.now()
  const built = markBuilt(part)
  await parts[part]()
  built()
  note(`${part} took ${seconds(started)}`)
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main(async () => {
    const wanted = process.argv.slice(2)
    for (const part of wanted.length > 0 ? wanted : Object.keys(parts)) {
      if (!(part in parts)) throw new Stop(`no part "${part}": ${Object.keys(parts).join(', ')}`)
      await build(part)
    }
  })
}
