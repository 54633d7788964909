// The demo: the same load and the same faults on an order service without Seawall and with it.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { help, readOptions } from './src/options.mjs'
import { freePort, prepareDatabase } from './src/prepare.mjs'
import { killAll } from './src/supervisor.mjs'
import { table } from './src/table.mjs'
import { describe } from './src/timeline.mjs'
import { Variant } from './src/variant.mjs'
import { View } from './src/view.mjs'

let options
try {
  options = readOptions(process.argv.slice(2), process)
} catch (error) {
  console.error(`${error.message}\n\n${help}`)
  process.exit(2)
}
if (options.help) {
  console.log(help)
  process.exit(0)
}

const view = new View({ out: process.stdout, ...options })
const folder = mkdtempSync(join(tmpdir(), 'seawall-demo-'))
const ending = new AbortController()
let running
let serving = false

// The temporary folder and the terminal are given back however the process ends.
process.on('exit', () => {
  killAll()
  view.close()
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
})

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    if (ending.signal.aborted) process.exit(130)
    ending.abort(new Interrupted(signal))
  })
}
process.stdout.on('error', () => process.exit(0))

class Interrupted extends Error {
  name = 'Interrupted'
}

try {
  await Promise.race([demo(), interrupted()])
} catch (error) {
  view.close()
  if (!(error instanceof Interrupted)) {
    console.error(error)
    process.exit(1)
  }
  view.say(`${error.message}: ending the service and the database`)
  await running?.stop()
  process.exit(serving ? 0 : 130)
}
process.exit(0)

async function demo() {
  const ports = { service: options.port || (await freePort()), database: await freePort() }
  const url = `http://127.0.0.1:${ports.service}`
  view.say(
    view.style('bold', 'Seawall demo: an order service (Fastify, Kysely) over PostgreSQL (PGlite)'),
  )
  view.say(`Look at ${url}/ , ${url}/health and ${url}/status while it runs.`)
  view.say(
    `${options.rate} requests/s for ${options.seconds} s, first without Seawall, then with it. What happens when:`,
  )
  for (const line of describe(options.seconds)) view.say(view.style('dim', line))
  view.say('Setting up the database ...')
  const copyDatabase = await prepareDatabase(folder, ports.database)

  const create = async (name, title, { rate, record }) => {
    const copy = await copyDatabase(name)
    ending.signal.throwIfAborted()
    const lost = error => ending.abort(error)
    running = new Variant({ name, title, folder: copy, ports, rate, record, view, onLost: lost })
    return running
  }
  const compare = async (name, title) => {
    view.say(`\n${view.style('bold', title)}`)
    const variant = await create(name, title, { rate: options.rate, record: true })
    await variant.start(options.seconds)
    return await variant.play(options.seconds, ending.signal)
  }

  const without = await compare('plain', 'without Seawall')
  const seawall = await compare('seawall', 'with Seawall')
  view.say()
  for (const line of table(without, seawall)) view.say(line)
  if (options.once) return

  view.say(`\nServing on, with Seawall and a light load, until Ctrl-C. Try, in another terminal:`)
  view.say(`  curl -i ${url}/products/1`)
  view.say(`  curl -s ${url}/status`)
  view.say('  kill -9 <pid of the database>; it is started again\n')
  const variant = await create('serving', 'with Seawall', { rate: 5, record: false })
  await variant.start(Number.POSITIVE_INFINITY)
  serving = true
  await new Promise(() => {})
}

function interrupted() {
  return new Promise((_, reject) => {
    ending.signal.addEventListener('abort', () => reject(ending.signal.reason))
  })
}
