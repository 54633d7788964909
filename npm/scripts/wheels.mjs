// Programs that come as wheels of PyPI: of one version, and only as they were when it was chosen.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ask } from './run.mjs'

/** Installs wheels, `name==version` to the hashes they may have, into a folder; false where pip cannot. */
export function install(wheels, folder) {
  return pip(['install', ...flagsOf(wheels, folder), '--target', folder])
}

/** Puts the files of wheels for another platform into a folder; false where pip cannot. */
export function download(wheels, folder, platform) {
  const place = ['--platform', platform, '--dest', folder]
  return pip(['download', ...flagsOf(wheels, folder), ...place])
}

/** A Python that has pip, or nothing. */
export function python() {
  return ['python3', 'python'].find(name => ask(name, ['-m', 'pip', '--version']) !== undefined)
}

function pip(args) {
  const program = python()
  if (program === undefined) return false
  return ask(program, ['-m', 'pip', '--quiet', ...args], { timeout: 300_000 }) !== undefined
}

function flagsOf(wheels, folder) {
  const file = join(folder, 'wanted.txt')
  const lines = Object.entries(wheels).map(([wheel, hashes]) =>
    [wheel, ...hashes.map(hash => `--hash=sha256:${hash}`)].join(' '),
  )
  writeFileSync(file, `${lines.join('\n')}\n`)
  return ['--no-deps', '--only-binary=:all:', '--require-hashes', '--requirement', file]
}
