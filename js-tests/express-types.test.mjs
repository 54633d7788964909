// What a TypeScript program sees of `seawall/express`, with the types of Express and without them.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const require = createRequire(import.meta.url)
const compiler = join(dirname(require.resolve('typescript/package.json')), 'bin/tsc')
const nodeTypes = dirname(require.resolve('@types/node/package.json'))
const undiciTypes = dirname(require.resolve('undici-types/package.json', { paths: [nodeTypes] }))
const package_ = join(dirname(fileURLToPath(import.meta.resolve('seawall/express'))), '../..')
const folders = []
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

/** What the compiler says of a program, in a project of its own. */
async function compile(program, types) {
  const folder = mkdtempSync(join(tmpdir(), 'seawall-project-'))
  folders.push(folder)
  mkdirSync(join(folder, 'node_modules/@types'), { recursive: true })
  symlinkSync(package_, join(folder, 'node_modules/seawall'))
  symlinkSync(nodeTypes, join(folder, 'node_modules/@types/node'))
  symlinkSync(undiciTypes, join(folder, 'node_modules/undici-types'))
  if (types) {
    mkdirSync(join(folder, 'node_modules/@types/express'))
    writeFileSync(join(folder, 'node_modules/@types/express/index.d.ts'), types)
    const manifest = { name: '@types/express', version: '5.0.0', types: 'index.d.ts' }
    writeFileSync(
      join(folder, 'node_modules/@types/express/package.json'),
      JSON.stringify(manifest),
    )
  }
  const compilerOptions = {
    target: 'es2023',
    lib: ['es2024', 'esnext.disposable', 'dom'],
    module: 'nodenext',
    strict: true,
    skipLibCheck: false,
    noEmit: true,
    // Where a link leads to, other packages could be found.
    preserveSymlinks: true,
    types: ['node'],
  }
  const files = ['main.ts']
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }))
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  writeFileSync(join(folder, 'main.ts'), program)
  return new Promise(resolve => {
    execFile(process.execPath, [compiler], { cwd: folder }, (_, stdout) => resolve(stdout.trim()))
  })
}

const program = `import { express, type ExpressRequest, startServer } from 'seawall/express'
export const path = (request: ExpressRequest): string => request.path
const app = express()
export const started = startServer(app, { port: 0, loadBalancer: 'peakEwma', slowStartMs: 0 })
`

test('without the types of Express a program compiles, and requests are any', async () => {
  assert.equal(await compile(program), '')
  const wrong = `${program}startServer(app, { loadBalancer: 'fastest' })\n`
  assert.match(await compile(wrong), /^main\.ts\(5,\d+\): error TS2322.*fastest/)
})

test('with them they are used', async () => {
  const names = ['Response', 'NextFunction', 'Application', 'RequestHandler', 'Router', 'Handler']
  const others = [...names, 'ErrorRequestHandler'].map(name => `export interface ${name} {}`)
  const types = ['export interface Request { path: number }', ...others].join('\n')
  assert.match(
    await compile(program, types),
    /^main\.ts\(2,.*'number' is not assignable.*'string'/s,
  )
})
