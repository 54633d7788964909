import type { Classifier } from './classify/types.js'
import type { PoliciesEngine } from './policies/types.js'
import type { ProcessEngine } from './process/types.js'
import type { Engine } from './types.js'

/** All parts of the engine. */
type Whole = Engine & PoliciesEngine & Classifier & ProcessEngine

/**
 * The addon built for this platform.
 *
 * @throws what the loader threw where there is none, and an error where this runtime copies the
 * memory the addon shares, so that its cells could not work.
 */
export function loadNative(require: NodeJS.Require): Whole {
  let failure: unknown
  for (const name of platformNames()) {
    try {
      const addon = loadAddon(require, name)
      if (!addon.sharesMemory()) throw new Error('this runtime copies the memory of addons')
      return Object.assign({ kind: 'native' as const }, addon)
    } catch (error) {
      failure ??= error
    }
  }
  throw failure
}

type Addon = Omit<Whole, 'kind'> & { sharesMemory(): boolean }

function loadAddon(require: NodeJS.Require, name: string): Addon {
  try {
    return require(`seawall-${name}`)
  } catch (error) {
    if ((error as { code?: string }).code !== 'MODULE_NOT_FOUND') throw error
    return require(`../../platforms/${name}/seawall.node`)
  }
}

/** On Linux the loader itself finds out which C library there is. */
function platformNames(): string[] {
  const name = `${process.platform}-${process.arch}`
  return process.platform === 'linux' ? [`${name}-gnu`, `${name}-musl`] : [name]
}
