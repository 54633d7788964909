/** The user's `ultimate-express`, else their `express`, loaded when first used. */
import { pathToFileURL } from 'node:url'
import { SeawallError } from '../errors.js'

// biome-ignore lint/suspicious/noExplicitAny: the types are those of the package that is found
type Framework = ((...parameters: any[]) => any) & Record<string, any>

const NAMES = ['ultimate-express', 'express']

let loaded: Framework | undefined

function load(): Framework {
  if (loaded) return loaded
  // From where the program runs, since the framework is its own; then from beside this package.
  const places = [pathToFileURL(`${process.cwd()}/`).href, import.meta.url]
  if (process.argv[1]) places.unshift(pathToFileURL(process.argv[1]).href)
  // Not imported: webpack takes the calls of what it knows for `createRequire` out of the code.
  const { createRequire } = process.getBuiltinModule('node:module')
  for (const name of NAMES) {
    for (const place of places) {
      const require = createRequire(place)
      let path: string
      try {
        path = require.resolve(name)
      } catch {
        continue
      }
      loaded = require(path) as Framework
      return loaded
    }
  }
  throw new SeawallError(
    'SEAWALL_NO_FRAMEWORK',
    'seawall/express: neither "ultimate-express" nor "express" is installed; add one, or give startServer() an application of another framework',
  )
}

/** `express()` and all that belongs to it (`express.json`, `express.Router`). */
export const express: Framework = new Proxy((() => {}) as unknown as Framework, {
  apply: (_, self, parameters) => Reflect.apply(load(), self, parameters),
  construct: (_, parameters) => Reflect.construct(load(), parameters),
  get: (target, name) => Reflect.get(name === 'prototype' ? target : load(), name),
  has: (_, name) => name in load(),
})
