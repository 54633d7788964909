// Texts of licences, as they stand in our own files.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './paths.mjs'

/** What is written in a file, with the line ends of Unix. */
export const text = path => readFileSync(path, 'utf8').replaceAll('\r\n', '\n').trim()

/** That of MIT, with these lines for whose work it is. */
export function mit(...holders) {
  const [title, , ...rest] = text(join(root, 'LICENSE')).split('\n\n')
  return [title, holders.map(each => `Copyright (c) ${each}`).join('\n'), ...rest].join('\n\n')
}

/** That of the tables of Unicode: not every installation of Rust brings it along. */
export const unicode = () => text(join(root, 'npm/scripts/licences/Unicode-3.0.txt'))
