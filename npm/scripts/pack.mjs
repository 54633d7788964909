// Puts the package as npm would publish it, and its platform package, where the tests import them from.
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { platformName, root } from './paths.mjs'
import { must } from './run.mjs'
import { main, note, Stop } from './say.mjs'

/** Packs with `npm pack` and unpacks into `js-tests/node_modules`. Answers with the names. */
export function pack() {
  const temporary = mkdtempSync(join(tmpdir(), 'seawall-pack-'))
  try {
    const name = platformName()
    unpack('npm', 'seawall', temporary)
    unpack(join('npm/platforms', name), `seawall-${name}`, temporary)
    return ['seawall', `seawall-${name}`]
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
}

/** Packs the package in `folder` and unpacks it there; `temporary` is a folder that is deleted later. */
export function unpack(folder, name, temporary) {
  const out = join(temporary, name)
  mkdirSync(out)
  const npm = process.env.npm_execpath
  const [command, ...first] = npm ? [process.execPath, npm] : ['npm']
  must(command, [...first, 'pack', '--silent', '--pack-destination', out], {
    cwd: join(root, folder),
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: !npm && process.platform === 'win32',
  })
  const [tarball] = readdirSync(out)
  must('tar', ['-xzf', tarball], { cwd: out })
  const target = join(root, 'js-tests/node_modules', name)
  rmSync(target, { recursive: true, force: true })
  mkdirSync(join(target, '..'), { recursive: true })
  cpSync(join(out, 'package'), target, { recursive: true })
  if (!existsSync(join(target, 'package.json'))) throw new Stop(`${name} did not unpack`)
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main(() => note(`packed ${pack().join(' and ')} into js-tests/node_modules`))
}
