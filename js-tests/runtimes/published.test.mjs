// The archive as those see it who look at packages for a living: publint, attw, and compilers.
import assert from 'node:assert/strict'
import { cpSync, readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { tarballs } from '../../npm/scripts/pack.mjs'
import { installedNode } from '../../npm/scripts/paths.mjs'
import { project, workplace } from './hosts/project.mjs'
import { bin, found, needs, output } from './hosts/tools.mjs'

const folder = await project()
const node = installedNode(24) ?? process.execPath
const archive = join(
  tarballs,
  readdirSync(tarballs).find(name => /^seawall-\d/.test(name)),
)

const publint = found('publint')
test('publint has nothing to say', {
  skip: needs(publint, 'publint', 'npm package publint'),
}, async () => {
  const { publint: lint } = await import(pathToFileURL(publint).href)
  const { buffer } = new Uint8Array(readFileSync(archive))
  const { messages } = await lint({ pack: { tarball: buffer }, strict: true })
  assert.deepEqual(messages, [])
})

const attw = found('@arethetypeswrong/cli/package.json')
test('the types are not wrong', {
  skip: needs(attw, 'attw', 'npm package @arethetypeswrong/cli'),
}, async () => {
  const program = join(bin, '@arethetypeswrong/cli/dist/index.js')
  // What is no code has no types.
  const excluded = ['engine.wasm', 'policies.wasm', 'classify.wasm', 'process.wasm']
  const flags = ['--profile', 'esm-only', '--no-emoji', '--no-color', '--format', 'table-flipped']
  const args = [program, archive, ...flags, '--exclude-entrypoints', ...excluded]
  const printed = await output(node, args, { cwd: folder })
  assert.match(printed, /"seawall" +│ OK \(ESM\) +│ OK /)
})

/** Entries that need no types of Node, nor of the packages they go with. */
const ALONE = ['', '/testing', '/http', '/idempotency', '/health', '/pressure']
const PROGRAM = `
${ALONE.map((name, i) => `import * as entry${i} from 'seawall${name}'`).join('\n')}
import { type CallContext, CircuitBreaker, type Outcome, policy } from 'seawall'
const breaker = new CircuitBreaker({ threshold: 3, onStateChange: (now, before) => void [now, before] })
const answer: Promise<number> = breaker.execute(async () => 42)
const outcome: Promise<Outcome<string>> = breaker.tryExecute(() => 'text')
const billing = policy({ retry: { maxAttempts: 3 }, timeout: 500 })
const paid: Promise<boolean> = billing.execute(({ signal }: CallContext) => signal.aborted)
// @ts-expect-error the threshold is a number
new CircuitBreaker({ threshold: 'three' })
// @ts-expect-error there is no such part
policy({ brekker: {} })
export { answer, outcome, paid, ${ALONE.map((_, i) => `entry${i}`).join(', ')} }
`

/** With the types of Node and of what the entries go with. */
const EVERYTHING = `
import * as express from 'seawall/express'
import * as lifecycle from 'seawall/lifecycle'
import * as kysely from 'seawall/kysely'
import * as stores from 'seawall/stores'
import * as pressure from 'seawall/fastify/pressure'
import fastify from 'seawall/fastify'
export { express, fastify, kysely, lifecycle, pressure, stores }
`

const OPTIONS = {
  target: 'es2022',
  lib: ['es2022', 'dom', 'dom.iterable', 'esnext.disposable'],
  strict: true,
  exactOptionalPropertyTypes: true,
  skipLibCheck: false,
  noEmit: true,
  types: [],
}

/** The compilers: the one this project uses, and the oldest that is promised. */
const compilers = {
  TypeScript: found('typescript/package.json'),
  'TypeScript 5.4, the oldest that is promised': found('typescript54/package.json'),
}
const ways = { nodenext: ['nodenext', 'nodenext'], bundler: ['esnext', 'bundler'] }

for (const [name, manifest] of Object.entries(compilers)) {
  for (const [way, [module, moduleResolution]] of Object.entries(ways)) {
    test(`${name}, ${way}`, { skip: needs(manifest, name, 'npm package typescript') }, async t => {
      const compiler = join(manifest, '..', JSON.parse(readFileSync(manifest, 'utf8')).bin.tsc)
      const work = workplace(t, folder, 'types')
      const check = async (file, contents, more) => {
        const compilerOptions = { ...OPTIONS, module, moduleResolution, ...more }
        writeFileSync(join(work, file), contents)
        writeFileSync(
          join(work, 'tsconfig.json'),
          JSON.stringify({ compilerOptions, files: [file] }),
        )
        await output(node, [compiler, '-p', work, '--pretty', 'false'], { cwd: work })
      }
      await t.test('without the types of Node', () => check('alone.ts', PROGRAM))
      await t.test('everything, with them', async () => {
        for (const beside of ['@types/node', 'undici-types', 'fastify', 'express']) {
          const target = join(work, 'node_modules', beside)
          cpSync(realpathSync(join(bin, beside)), target, { recursive: true })
        }
        await check('everything.ts', EVERYTHING, { types: ['node'], skipLibCheck: true })
      })
      // `require` of a module has types since TypeScript 5.8.
      if (way !== 'nodenext' || name.includes('5.4')) return
      await t.test('required', () =>
        check(
          'required.cts',
          `import seawall = require('seawall')
const breaker = new seawall.CircuitBreaker()
export = breaker`,
        ),
      )
    })
  }
}
