// `npm run bench`: the benchmarks of the package, then those of the crate, on release builds.
// `npm run bench:balance`: connections handed to workers, against proxies.
// `npm run bench:runtimes`: the WASM build in Node, Deno and workerd.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pack } from './pack.mjs'
import { root } from './paths.mjs'
import { must } from './run.mjs'
import { heading, main, note, step } from './say.mjs'
import { setup } from './setup.mjs'

await main(async () => {
  const node = await setup()
  const words = process.argv.slice(2)
  step('packing')
  pack()
  if (['balance', 'runtimes'].includes(words[0])) {
    const [name, ...rest] = words
    must(node, [join(root, `js-tests/bench/${name}.mjs`), ...rest])
    if (name === 'balance') must(node, [join(root, 'js-tests/bench/balance-tls.mjs')])
    return
  }
  const script = join(root, 'js-tests/bench/index.mjs')
  heading('JavaScript')
  if (existsSync(script)) must(node, ['--expose-gc', script, ...words])
  else note('no benchmarks in js-tests/bench')
  heading('Rust')
  if (existsSync(join(root, 'rust-tests/benches'))) {
    must('cargo', ['bench', '--locked', '-p', 'seawall-tests', '--benches', '--', ...words])
  } else note('no benchmarks in rust-tests/benches')
})
