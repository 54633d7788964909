import { createRequire } from 'node:module'
import type { Engine } from './types.js'

/** The addon built for this platform; throws what the loader threw where there is none. */
export function loadNative(): Engine {
  const require = createRequire(import.meta.url)
  const name = platformName()
  let addon: Omit<Engine, 'kind'>
  try {
    addon = require(`seawall-${name}`)
  } catch (error) {
    if ((error as { code?: string }).code !== 'MODULE_NOT_FOUND') throw error
    addon = require(`../../platforms/${name}/seawall.node`)
  }
  return Object.assign({ kind: 'native' as const }, addon)
}

function platformName(): string {
  const { platform, arch } = process
  if (platform !== 'linux') return `${platform}-${arch}`
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } }
  return `${platform}-${arch}-${report.header?.glibcVersionRuntime ? 'gnu' : 'musl'}`
}
