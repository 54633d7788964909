import type { Classifier } from './classify/types.js'
import { isPublished, platformName } from './platform.js'
import type { PoliciesEngine } from './policies/types.js'
import type { ProcessEngine } from './process/types.js'
import type { Engine } from './types.js'

/** All parts of the engine. */
type Whole = Engine & PoliciesEngine & Classifier & ProcessEngine

/** The version of this package, put here by the build. */
declare const SEAWALL_VERSION: string

/**
 * The addon built for this platform.
 *
 * @throws an error whose message says why, where there is none, where it is of another version than
 * this package, and where this runtime copies the memory the addon shares, so that its cells could
 * not work.
 */
export function loadNative(require: NodeJS.Require): Whole {
  const platform = platformName()
  const name = `seawall-${platform}`
  const { addonVersion, sharesMemory, ...engine } = loadAddon(require, platform)
  const version = addonVersion?.()
  if (version !== SEAWALL_VERSION) {
    throw new Error(
      `${name} is version ${version ?? 'unknown'} and seawall is ${SEAWALL_VERSION}:` +
        ` npm install ${name}@${SEAWALL_VERSION}`,
    )
  }
  if (!sharesMemory()) throw new Error('this runtime copies the memory of addons')
  return Object.assign({ kind: 'native' as const, reason: `${name} fits` }, engine)
}

interface Addon extends Omit<Whole, 'kind' | 'reason'> {
  /** Lacks in an addon that cannot be of this version. */
  addonVersion?(): string
  sharesMemory(): boolean
}

function loadAddon(require: NodeJS.Require, platform: string): Addon {
  const name = `seawall-${platform}`
  try {
    return required(require, platform)
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code !== 'MODULE_NOT_FOUND') {
      throw new Error(`${name} cannot be loaded: ${message?.split('\n', 1)[0]}`, { cause })
    }
    const text = isPublished(platform)
      ? `${name} is not installed: npm install ${name}@${SEAWALL_VERSION}`
      : `seawall has no addon for ${platform}`
    throw new Error(text, { cause })
  }
}

function required(require: NodeJS.Require, platform: string): Addon {
  try {
    return require(`seawall-${platform}`)
  } catch (error) {
    if ((error as { code?: string }).code !== 'MODULE_NOT_FOUND') throw error
    // Of a checkout, which has the packages it builds there.
    return require(`../../platforms/${platform}/seawall.node`)
  }
}
