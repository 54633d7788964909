// workerd, the runtime of Cloudflare Workers, with modules as wrangler bundles them.
import { spawn } from 'node:child_process'
import { readdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { build } from 'esbuild'
import { end, environment, found } from './tools.mjs'

/** The program that npm brought. */
export const workerd = found('workerd') && createRequire(import.meta.url)('workerd').default

/** The settings of wrangler's bundler: conditions, names kept, `.wasm` as a module beside. */
export const LIKE_WRANGLER = {
  bundle: true,
  format: 'esm',
  platform: 'browser',
  target: 'es2024',
  conditions: ['workerd', 'worker', 'browser'],
  keepNames: true,
  loader: { '.wasm': 'copy' },
  // A code of its contents in the name, as wrangler's has it.
  assetNames: '[hash]-[name]',
  external: ['cloudflare:*'],
  logLevel: 'silent',
}

/** Bundles a worker, from a file or a text, into `outdir`; its name there is `main.js`. */
export async function bundle(outdir, { entry, text, resolveDir, ...more }) {
  const input = text
    ? { stdin: { contents: text, resolveDir, sourcefile: 'worker.mjs' } }
    : { entryPoints: [entry] }
  const out = text ? { outfile: join(outdir, 'main.js') } : { outdir, entryNames: 'main' }
  return build({ ...LIKE_WRANGLER, ...input, ...out, ...more })
}

/** The modules of a folder: the main one first, which has to have one of the `names`. */
export function modulesOf(folder, names = ['main.js']) {
  const files = readdirSync(folder).filter(name => /\.(js|mjs|wasm)$/.test(name))
  const main = names.find(name => files.includes(name))
  return [main, ...files.filter(name => name !== main)]
}

const COMPATIBILITY = '2025-09-01'

/**
 * The text of a configuration. Each worker: `folder` of its modules, `names` of the main one,
 * `bindings`, `objects` (class names of Durable Objects), `flags`, `date`, `outbound` (a service).
 * The first is the one that is asked.
 */
function configuration(workers) {
  const text = JSON.stringify
  const services = Object.entries(workers).map(([name, worker]) => {
    const { folder, names, bindings = [], objects = [], flags = [], outbound = 'loopback' } = worker
    const modules = modulesOf(folder, names).map(file => {
      const kind = file.endsWith('.wasm') ? 'wasm' : 'esModule'
      return `(name = ${text(file)}, ${kind} = embed ${text(join(folder, file))})`
    })
    const namespaces = objects.map(
      className => `(className = ${text(className)}, uniqueKey = ${text(`${name}-${className}`)})`,
    )
    return `(name = ${text(name)}, worker = (
      compatibilityDate = ${text(worker.date ?? COMPATIBILITY)},
      compatibilityFlags = [${flags.map(flag => text(flag)).join(', ')}],
      modules = [${modules.join(', ')}],
      bindings = [${bindings.join(', ')}],
      durableObjectNamespaces = [${namespaces.join(', ')}],
      ${objects.length > 0 ? 'durableObjectStorage = (inMemory = void),' : ''}
      globalOutbound = ${text(outbound)}
    ))`
  })
  const [first] = Object.keys(workers)
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "loopback", network = (allow = ["local", "private"])),
    ${services.join(',\n    ')}
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = ${text(first)})]
);
`
}

/** Starts workerd; answers its address, what it printed, and how to end it. */
export async function serve(folder, workers) {
  const file = join(folder, 'config.capnp')
  writeFileSync(file, configuration(workers))
  const args = ['serve', '--control-fd=3', '--import-path=/', file]
  const child = spawn(workerd, args, {
    env: environment(),
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  })
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', text => (printed += text))
  }
  const port = await new Promise((resolve, reject) => {
    let text = ''
    child.stdio[3].setEncoding('utf8').on('data', chunk => {
      text += chunk
      const line = text.split('\n').find(line => line.includes('"listen"'))
      if (line) resolve(JSON.parse(line).port)
    })
    child.once('error', reject)
    child.once('exit', code => reject(new Error(`workerd ended with ${code}:\n${printed}`)))
  })
  return {
    origin: `http://127.0.0.1:${port}`,
    pid: child.pid,
    printed: () => printed,
    end: () => end(child),
    async ask(path = '/', init = undefined) {
      const answer = await fetch(`http://127.0.0.1:${port}${path}`, init)
      const text = await answer.text()
      if (!answer.ok) throw new Error(`${path}: ${answer.status} ${text}\n${printed}`)
      return text
    },
  }
}
