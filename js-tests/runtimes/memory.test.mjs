// The WASM build: what it asks of its host, how much memory it takes, and that it gives back what
// was let go of.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { installedNode } from '../../npm/scripts/paths.mjs'
import { project, workplace } from './hosts/project.mjs'
import { deno, environment, needs, report } from './hosts/tools.mjs'

const folder = await project()
const PAGE = 65_536

/** The first pages of the linear memory of a WASM file, by its section of memories. */
function initialPages(bytes) {
  let at = 8
  const number = () => {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]
      value += (byte & 127) * 2 ** shift
      if (byte < 128) return value
    }
  }
  while (at < bytes.length) {
    const id = bytes[at++]
    const size = number()
    const next = at + size
    if (id === 5) {
      assert.equal(number(), 1, 'one memory')
      number()
      return number()
    }
    at = next
  }
  throw new Error('no memory of its own')
}

for (const part of ['engine', 'classify', 'process']) {
  test(`${part}.wasm begins with little memory, and grows only when it has to`, () => {
    const bytes = readFileSync(join(folder, `node_modules/seawall/dist/${part}.wasm`))
    const pages = initialPages(bytes)
    // The stack is one page, constants are less than another.
    assert.ok(pages <= 2, `${pages} pages`)
    // An engine that needed a start would not be there at once.
    const module = new WebAssembly.Module(bytes)
    const functions = WebAssembly.Module.exports(module).filter(({ kind }) => kind === 'function')
    assert.ok(functions.length > 0)
    assert.equal(
      functions.some(({ name }) => name === '_start' || name === '_initialize'),
      false,
    )
  })
}

/** Makes everything there is, in rounds, and looks at the memory of the engine after each. */
const LOOP = `
const memories = []
const { Instance } = WebAssembly
WebAssembly.Instance = class extends Instance {
  constructor(module, imports) {
    super(module, imports)
    // The policies live in the memory of the engine.
    if (this.exports.memory) memories.push(this.exports.memory)
  }
}
const S = await import('seawall')
const { PressureMonitor } = await import('seawall/pressure')
const { HealthChecks } = await import('seawall/health')
const { idempotency } = await import('seawall/idempotency')
const makers = {
  breaker: () => new S.CircuitBreaker({ failureRate: 0.5, window: { calls: 50 } }),
  registry: () => new S.BreakerRegistry({ max: 10 }),
  policy: () => S.policy({ retry: {}, budget: {}, breaker: {}, timeout: 5, bulkhead: { maxConcurrent: 2 } }),
  timeout: () => new S.Timeout({ timeoutMs: { quantile: 0.9 } }),
  hedge: () => new S.Hedge({ delayMs: { quantile: 0.9 } }),
  bulkhead: () => new S.Bulkhead({ maxConcurrent: 2, maxQueue: 2 }),
  adaptive: () => new S.AdaptiveLimiter(),
  rate: () => new S.RateLimiter({ limit: 5, kind: 'slidingWindow' }),
  keyed: () => new S.KeyedRateLimiter({ limit: 5 }),
  throttle: () => new S.Throttle(),
  budget: () => new S.RetryBudget({ ratio: 0.2 }),
  cache: () => new S.Cache(),
  pressure: () => new PressureMonitor({ source: 'manual' }),
  health: () => new HealthChecks(),
}
const collect = async () => {
  for (let i = 0; i < 60 && (i < 4 || S.engineStats().breakers > 0); i++) {
    gc()
    await new Promise(resolve => setTimeout(resolve, 0))
  }
}
/** Used a little, so that what is made when it is needed is there too. */
const use = async subject => {
  if (subject instanceof S.KeyedRateLimiter || subject instanceof S.Cache) await subject.execute('key', async () => 1)
  else if (subject instanceof S.BreakerRegistry) await subject.execute('host', async () => 1)
  else await subject.execute?.(async () => 1)
}
const bytes = () => memories.map(memory => memory.buffer.byteLength)
const COUNT = 200
const rounds = { disposed: [], dropped: [] }
for (const [way, list] of Object.entries(rounds)) {
  for (let round = 0; round < 4; round++) {
    await (async () => {
      for (const make of Object.values(makers)) {
        for (let i = 0; i < COUNT; i++) {
          const subject = make()
          if (i % 10 === 0) await use(subject)
          if (way === 'disposed') subject[Symbol.dispose]()
        }
      }
    })()
    await collect()
    list.push({ bytes: bytes(), breakers: S.engineStats().breakers })
  }
}
console.log(JSON.stringify({ kind: S.engineKind(), rounds }))
`

function judge({ kind, rounds }) {
  assert.equal(kind, 'wasm')
  for (const [way, list] of Object.entries(rounds)) {
    const [, second, ...later] = list
    for (const { bytes, breakers } of [second, ...later]) {
      assert.equal(breakers, 0, `${way}: breakers that are left`)
      // When the dropped are collected within a round is the runtime's affair: memory that had to grow
      // for more of them at once does not shrink. A round that is kept takes a dozen pages.
      const spare = way === 'dropped' ? 4 * PAGE : 0
      const grown = bytes.some((size, part) => size > second.bytes[part] + spare)
      assert.ok(!grown, `${way}: memory after each round: ${JSON.stringify(list)}`)
    }
    for (const size of second.bytes) assert.ok(size <= 64 * PAGE, `${size} bytes`)
  }
}

test('Node: what is disposed of or dropped leaves nothing in WASM', async t => {
  const work = workplace(t, folder, 'memory')
  const file = join(work, 'loop.mjs')
  writeFileSync(file, LOOP)
  const env = environment({ SEAWALL_ENGINE: 'wasm' })
  const node = installedNode(24) ?? process.execPath
  judge(await report(node, ['--expose-gc', file], { cwd: folder, env }))
})

test('Deno: what is disposed of or dropped leaves nothing in WASM', {
  skip: needs(deno, 'Deno', 'npm package deno'),
}, async t => {
  const work = workplace(t, folder, 'memory')
  const file = join(work, 'loop.mjs')
  writeFileSync(file, LOOP)
  const flags = ['run', '--no-prompt', '--no-lock', '--cached-only', '--v8-flags=--expose-gc']
  judge(await report(deno, [...flags, file], { cwd: folder }))
})
