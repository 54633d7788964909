import { OptionError, SeawallError } from './errors.js'

/** What a store holds under a key. */
export interface Stored {
  /** The bytes as they were set; a string as its UTF-8. */
  value: Uint8Array
  /** What {@link Store.compareAndSet} wants, of a type only the store knows. */
  token: unknown
}

/**
 * A place for values outside the process (or like one), by key. What it throws means that the
 * store failed; whatever is held in it may be gone at any time.
 *
 * Times are in ms; `expiryMs` left out: no expiry. A store that counts in seconds rounds up.
 */
export interface Store {
  /** The value, or `undefined` if there is none. */
  get(key: string): Promise<Stored | undefined>
  /** Sets it, whatever was there. */
  set(key: string, value: string | Uint8Array, expiryMs?: number): Promise<void>
  /** Sets it if there is none; whether it did. */
  add(key: string, value: string | Uint8Array, expiryMs?: number): Promise<boolean>
  /** Deletes it; whether there was one. */
  delete(key: string): Promise<boolean>
  /** Sets it if it is still the one that `get` answered with `token`; whether it did. */
  compareAndSet(
    key: string,
    token: unknown,
    value: string | Uint8Array,
    expiryMs?: number,
  ): Promise<boolean>
}

/**
 * The key of a value whose shape is told by a version: `<type>-v<version>-<id>`. Raise the version
 * when the shape changes, whatever the release: old and new releases then live side by side.
 *
 * @throws OptionError if the version is not a whole number of at least 0
 * @example
 * ```ts
 * import { versionedKey } from 'seawall'
 *
 * console.log(versionedKey('account-info', 1, '7')) // account-info-v1-7
 * ```
 */
export function versionedKey(type: string, version: number, id: string): string {
  if (!(Number.isInteger(version) && version >= 0)) {
    throw new OptionError(
      `versionedKey: \`version\` must be a whole number of at least 0, got ${version}`,
      'version',
    )
  }
  return `${type}-v${version}-${id}`
}

/** `expiryMs`, if it is one. @internal */
export function checkExpiry(store: string, expiryMs: number | undefined): number | undefined {
  if (expiryMs === undefined || expiryMs > 0) return expiryMs
  throw new OptionError(`${store}: \`expiryMs\` must be above 0, got ${expiryMs}`, 'expiryMs')
}

/** A value's bytes. @internal */
export function bytesOf(value: string | Uint8Array): Uint8Array {
  return typeof value === 'string' ? new TextEncoder().encode(value) : value
}

/** How many bytes a value has, without making them where that can be had. @internal */
export function sizeOfBytes(value: string | Uint8Array): number {
  if (typeof value !== 'string') return value.byteLength
  const { Buffer } = globalThis
  return Buffer === undefined
    ? new TextEncoder().encode(value).byteLength
    : Buffer.byteLength(value)
}

/** A value that the store does not take for its size. @internal */
export function tooLarge(store: string, key: string, bytes: number, most: number): SeawallError {
  return new SeawallError(
    'SEAWALL_VALUE_TOO_LARGE',
    `${store}: the value of ${JSON.stringify(key.slice(0, 80))} has ${bytes} bytes, at most ${most} are taken`,
  )
}
