// `npm run soak:rolling [-- restarts]`: what takes minutes, over the package as it would be published.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pack } from './pack.mjs'
import { root } from './paths.mjs'
import { must } from './run.mjs'
import { main, Stop, step } from './say.mjs'
import { setup } from './setup.mjs'

await main(async () => {
  const [name, ...words] = process.argv.slice(2)
  const script = join(root, 'js-tests/slow', `${name}.mjs`)
  if (!existsSync(script)) throw new Stop(`there is no ${name}.mjs in js-tests/slow`)
  const node = await setup()
  step('packing')
  pack()
  must(node, [script, ...words])
})
