/** The second level of a cache: entries in a {@link Store}, with their age and under their version. */

import type { Clock } from '../clock.js'
import { TimeoutError } from '../errors.js'
import { bytesOf, type Store, versionedKey } from '../store.js'
import { startTimer } from '../timer.js'
import type { CacheOptions } from './options.js'

/** A value as it is held, and since when. */
export interface Kept {
  held: string | Uint8Array
  /** Ms of the time of day. */
  storedWall: number
  lifespanMs: number
}

/** An entry of the store. */
export interface Found extends Kept {
  /** The version it was found under, `undefined` where there are none. */
  version: number | undefined
}

/** What failed while the store was used. */
export type StoreOperation = 'get' | 'set' | 'delete'

/** A change that waits for another one of its key. */
interface Change {
  act: () => Promise<boolean>
  /** Whether there is a deletion in it. */
  deletes: boolean
  readonly promise: Promise<boolean>
  readonly resolve: (done: boolean) => void
}

/** First in each entry, so that a value of somebody else is not taken for one. */
const MARK = 'seawall1'
const decoder = { made: undefined as TextDecoder | undefined }

/** Entries in a store. What fails is told to `failed` and counts as not there. */
export class Level {
  readonly #store: Store
  readonly #type: string | undefined
  readonly #version: number
  readonly #oldest: number
  readonly #timeoutMs: number
  readonly #clock: Clock
  readonly #failed: (operation: StoreOperation, key: string, error: unknown) => void
  /** Keys with a change on its way: on several connections a later one may arrive before it. */
  readonly #changes = new Map<string, { next: Change | undefined }>()

  constructor(
    store: Store,
    // biome-ignore lint/suspicious/noExplicitAny: the values are not looked at
    options: CacheOptions<any>,
    timeoutMs: number,
    clock: Clock,
    failed: (operation: StoreOperation, key: string, error: unknown) => void,
  ) {
    const { type, version = 1, migrate } = options
    this.#store = store
    this.#type = type
    this.#version = version
    this.#oldest = migrate?.from ?? version
    this.#timeoutMs = timeoutMs
    this.#clock = clock
    this.#failed = failed
  }

  /** The entry of the newest version there is. */
  async get(key: string): Promise<Found | undefined> {
    try {
      for (let version = this.#version; version >= this.#oldest; version--) {
        const stored = await this.#within(this.#store.get(this.#key(key, version)))
        const kept = stored && decode(stored.value)
        if (kept) return { ...kept, version: this.#type === undefined ? undefined : version }
        if (this.#type === undefined) return undefined
      }
    } catch (error) {
      this.#failed('get', key, error)
    }
    return undefined
  }

  /** Whether an entry is of an older version. */
  isOld({ version }: Found): boolean {
    return version !== undefined && version !== this.#version
  }

  /** Whether it is stored; with `onlyNew` that includes that there was one already. */
  set(key: string, kept: Kept, expiryMs: number, onlyNew = false): Promise<boolean> {
    // What has been changed meanwhile is not new.
    if (onlyNew && this.#changes.has(key)) return Promise.resolve(true)
    return this.#behind(key, () => this.#set(key, kept, expiryMs, onlyNew), false)
  }

  /** Whether it is surely gone, in every version that would be read. */
  delete(key: string): Promise<boolean> {
    return this.#behind(key, () => this.#delete(key), true)
  }

  /**
   * Changes a key once the change under way has arrived, or has failed. Of those that wait only the
   * last is carried out, so that a store that hangs has no queue.
   */
  #behind(key: string, act: () => Promise<boolean>, deletes: boolean): Promise<boolean> {
    const line = this.#changes.get(key)
    if (line === undefined) {
      this.#changes.set(key, { next: undefined })
      return this.#change(key, act)
    }
    const next: Change = line.next ?? { ...Promise.withResolvers<boolean>(), act, deletes }
    // A value that replaces a deletion replaces one version of several.
    next.act = next.deletes && !deletes ? () => this.#delete(key).then(act) : act
    next.deletes ||= deletes
    line.next = next
    return next.promise
  }

  async #change(key: string, act: () => Promise<boolean>): Promise<boolean> {
    const done = await act()
    const line = this.#changes.get(key)
    const next = line?.next
    if (line && next) {
      line.next = undefined
      void this.#change(key, next.act).then(next.resolve)
    } else this.#changes.delete(key)
    return done
  }

  async #set(key: string, kept: Kept, expiryMs: number, onlyNew: boolean): Promise<boolean> {
    try {
      const name = this.#key(key, this.#version)
      // What lives for centuries needs no expiry, and is more than a store can count.
      const expiry = expiryMs < 1e12 ? Math.max(1, expiryMs) : undefined
      const entry = encode(kept)
      const done = onlyNew
        ? this.#store.add(name, entry, expiry)
        : this.#store.set(name, entry, expiry)
      await this.#within<unknown>(done)
      return true
    } catch (error) {
      this.#failed('set', key, error)
      return false
    }
  }

  async #delete(key: string): Promise<boolean> {
    try {
      // The oldest first: a reader in between finds none that it would convert.
      for (let version = this.#oldest; version <= this.#version; version++) {
        await this.#within(this.#store.delete(this.#key(key, version)))
      }
      return true
    } catch (error) {
      this.#failed('delete', key, error)
      return false
    }
  }

  #key(key: string, version: number): string {
    return this.#type === undefined ? key : versionedKey(this.#type, version, key)
  }

  #within<T>(promise: Promise<T>): Promise<T> {
    const ms = this.#timeoutMs
    return new Promise((resolve, reject) => {
      const late = (): void => reject(new TimeoutError(`the store took over ${ms} ms`, ms))
      const cancel = startTimer(this.#clock, ms, late)
      promise.then(resolve, reject).finally(cancel)
    })
  }
}

function encode({ held, storedWall, lifespanMs }: Kept): string | Uint8Array {
  const text = typeof held === 'string'
  const head = `${MARK} ${storedWall} ${lifespanMs} ${text ? 't' : 'b'}\n`
  if (text) return head + held
  const first = bytesOf(head)
  const all = new Uint8Array(first.length + held.length)
  all.set(first)
  all.set(held, first.length)
  return all
}

/** The entry, `undefined` where it is none of a cache. */
function decode(bytes: Uint8Array): Kept | undefined {
  decoder.made ??= new TextDecoder()
  const end = bytes.subarray(0, 120).indexOf(10)
  if (end < 0) return undefined
  const [mark, stored, lifespan, kind] = decoder.made.decode(bytes.subarray(0, end)).split(' ')
  const [storedWall, lifespanMs] = [Number(stored), Number(lifespan)]
  if (mark !== MARK || !Number.isFinite(storedWall) || Number.isNaN(lifespanMs)) return undefined
  const rest = bytes.subarray(end + 1)
  return { held: kind === 't' ? decoder.made.decode(rest) : rest, storedWall, lifespanMs }
}
