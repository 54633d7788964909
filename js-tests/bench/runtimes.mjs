// `npm run bench:runtimes`: what the WASM build costs a call in Node, Deno and workerd, beside
// cockatiel in the same runtime; and what importing the package costs a Worker that begins.
import { cpSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { installedNode, root } from '../../npm/scripts/paths.mjs'
import { project } from '../runtimes/hosts/project.mjs'
import { bin, deno, report } from '../runtimes/hosts/tools.mjs'
import { bundle, serve, workerd } from '../runtimes/hosts/workerd.mjs'

const quick = process.argv.includes('--quick')
const folder = await project()
const place = join(folder, `bench-${process.pid}`)

/** A function for each variant, so that what the engine learns of one says nothing about another. */
const loop = (name, call) => `
  async ${name}(x, fn, n) {
    for (let i = 0; i < n; i++) await ${call}
  },`
const MEASURE = `
import { CircuitBreaker, engineKind } from 'seawall'
import * as cockatiel from 'cockatiel'
const LONG = 2 ** 31 - 1
const loops = {${[
  ['bare', 'fn()'],
  ['consecutive', 'x.execute(fn)'],
  ['count', 'x.execute(fn)'],
  ['time', 'x.execute(fn)'],
  ['cockatielConsecutive', 'x.execute(fn)'],
  ['cockatielCount', 'x.execute(fn)'],
  ['cockatielSampling', 'x.execute(fn)'],
]
  .map(([name, call]) => loop(name, call))
  .join('')}
}
const circuit = breaker =>
  cockatiel.circuitBreaker(cockatiel.handleAll, { halfOpenAfter: LONG, breaker })
export async function measure({ rounds, batch }) {
  const subjects = {
    consecutive: new CircuitBreaker({ threshold: LONG, resetTimeMs: LONG }),
    count: new CircuitBreaker({ failureRate: 1, window: { calls: 5_000 }, resetTimeMs: LONG }),
    time: new CircuitBreaker({ failureRate: 1, window: { ms: 10_000 }, minimumCalls: LONG }),
    cockatielConsecutive: circuit(new cockatiel.ConsecutiveBreaker(LONG)),
    cockatielCount: circuit(new cockatiel.CountBreaker({ threshold: 0.999, size: 5_000 })),
    cockatielSampling: circuit(
      new cockatiel.SamplingBreaker({ threshold: 0.999, duration: 10_000, minimumRps: LONG }),
    ),
  }
  const value = async () => 1
  const best = {}
  for (let round = 0; round < rounds; round++) {
    for (const [name, run] of Object.entries(loops)) {
      const start = performance.now()
      await run(subjects[name], value, batch)
      const ns = ((performance.now() - start) * 1e6) / batch
      best[name] = Math.min(best[name] ?? Infinity, ns)
    }
  }
  return { engine: engineKind(), best }
}
`
const MAIN = `
import { measure } from './measure.mjs'
console.log(JSON.stringify(await measure(JSON.parse(globalThis.process?.argv[2] ?? Deno.args[0]))))
`
const WORKER = `
import { measure } from './measure.mjs'
export default { fetch: async request => Response.json(await measure(await request.json())) }
`

/** Short batches, the best of which nobody else has disturbed. */
const size = { rounds: quick ? 60 : 300, batch: 4_000 }
/** A worker's clock shows whole milliseconds: a batch must take many. */
const sizeOfWorkers = { rounds: quick ? 5 : 25, batch: quick ? 50_000 : 100_000 }

async function overheads() {
  const argument = JSON.stringify(size)
  const node = installedNode(24) ?? process.execPath
  const main = join(place, 'main.mjs')
  const seen = { Node: await report(node, ['--no-addons', main, argument], { cwd: folder }) }
  if (deno) {
    const args = ['run', '--no-prompt', '--no-lock', '--cached-only', main, argument]
    seen.Deno = await report(deno, args, { cwd: folder })
  }
  if (workerd) {
    const out = join(place, 'worker')
    await bundle(out, { text: WORKER, resolveDir: place })
    const server = await serve(place, { main: { folder: out } })
    seen.workerd = JSON.parse(
      await server.ask('/', {
        method: 'POST',
        body: JSON.stringify(sizeOfWorkers),
      }),
    )
    await server.end()
  }
  for (const [runtime, { engine, best }] of Object.entries(seen)) {
    const over = name => best[name] - best.bare
    console.log(`${runtime}, ${engine}: a bare call ${best.bare.toFixed(0)} ns, beyond it`)
    for (const [ours, theirs] of [
      ['consecutive', 'cockatielConsecutive'],
      ['count', 'cockatielCount'],
      ['time', 'cockatielSampling'],
    ]) {
      const ratio = over(ours) / over(theirs)
      const verdict = ratio <= 0.5 ? 'ok' : 'MISSED'
      console.log(
        `  ${ours.padEnd(12)} ${over(ours).toFixed(0).padStart(4)} ns, cockatiel ${over(theirs).toFixed(0).padStart(4)} ns: ${ratio.toFixed(2)} (<= 0.5 ${verdict})`,
      )
    }
  }
}

/** How long the threads of a process have been on a processor: on a busy machine the clock tells nothing. */
function processorMs(pid) {
  const tasks = readdirSync(`/proc/${pid}/task`)
  const spans = tasks.map(task => readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8'))
  return spans.reduce((sum, text) => sum + Number(text.split(' ')[0]), 0) / 1e6
}

/** What the example of a worker takes of the package, which is what a bundler leaves in. */
function example() {
  const text = readFileSync(join(root, 'examples/worker/src/index.js'), 'utf8')
  return /import \{([^}]*)\} from 'seawall'/.exec(text)[1].trim().replace(/,$/, '')
}

/** From the start of workerd to the first answer, with a worker that imports the package and one that does not. */
async function coldImport() {
  if (!workerd || process.platform !== 'linux') return
  const worker = (head, answer) =>
    `${head}\nexport default { fetch: () => new Response(String(${answer})) }`
  const keep = head => worker(`${head}\nglobalThis.kept = kept`, 'typeof kept')
  const workers = {
    'an empty one': worker('', '1'),
    'the WASM file alone': keep(`import kept from 'seawall/engine.wasm'`),
    CircuitBreaker: keep(`import { CircuitBreaker as kept } from 'seawall'`),
    'what examples/worker imports': keep(`import { ${example()} } from 'seawall'
const kept = [${example()}]`),
    'all of seawall': keep(`import * as kept from 'seawall'`),
    'all, and a breaker made': worker(
      `import * as kept from 'seawall'\nglobalThis.kept = kept`,
      'new kept.CircuitBreaker().isClosed()',
    ),
  }
  const times = {}
  for (const [name, text] of Object.entries(workers)) {
    times[name] = []
    await bundle(join(place, name), { text, resolveDir: place, minify: true, keepNames: true })
  }
  for (let round = 0; round < (quick ? 3 : 21); round++) {
    for (const name of Object.keys(workers)) {
      const server = await serve(place, { main: { folder: join(place, name) } })
      await server.ask()
      times[name].push(processorMs(server.pid))
      await server.end()
    }
  }
  const median = list => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)]
  const least = list => Math.min(...list)
  const [empty] = Object.keys(workers)
  console.log('workerd from its start to the first answer, ms of processor time: median, least')
  for (const [name, list] of Object.entries(times)) {
    const [usual, best] = [median, least].map(
      of => of(list) - (name === empty ? 0 : of(times[empty])),
    )
    const judged = name !== empty && !name.endsWith('made')
    const verdict = judged ? ` (<= 5 ${usual <= 5 ? 'ok' : 'MISSED'})` : ''
    console.log(
      `  ${name === empty ? '' : '+ '}${name}: ${usual.toFixed(1)}, ${best.toFixed(1)}${verdict}`,
    )
  }
}

console.log(`load before: ${loadavg()[0].toFixed(1)}`)
try {
  cpSync(realpathSync(join(bin, 'cockatiel')), join(place, 'node_modules/cockatiel'), {
    recursive: true,
  })
  writeFileSync(join(place, 'measure.mjs'), MEASURE)
  writeFileSync(join(place, 'main.mjs'), MAIN)
  if (!process.argv.includes('--import')) await overheads()
  await coldImport()
} finally {
  rmSync(place, { recursive: true, force: true })
}
console.log(`load after: ${loadavg()[0].toFixed(1)}`)
