// `npm start`: the demo. Options after `--` go to it: `npm start -- --help`.
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { join } from 'node:path'
import { root } from './paths.mjs'
import { main } from './say.mjs'
import { setup } from './setup.mjs'

await main(async () => {
  const node = await setup()
  const demo = spawn(node, [join(root, 'npm/demo/main.mjs'), ...process.argv.slice(2)], {
    stdio: 'inherit',
  })
  // The demo decides how it ends. A terminal's Ctrl-C has reached it already.
  process.on('SIGINT', () => process.stdin.isTTY || demo.kill('SIGINT'))
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => demo.kill(signal))
  // npm runs a shell in between, which a signal ends without passing it on.
  const parent = process.env.npm_lifecycle_event && process.ppid
  const orphaned = setInterval(() => parent && process.ppid !== parent && demo.kill(), 500)
  orphaned.unref()
  demo.on('error', error => {
    console.error(error)
    process.exitCode = 1
  })
  demo.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + constants.signals[signal]
  })
})
