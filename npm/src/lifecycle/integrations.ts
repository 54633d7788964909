/**
 * What closes the usual things: each helper registers one under its group, in the way its authors
 * mean it to be closed. Nothing is imported; what is given says by its methods what it is.
 */
import { describe, OptionError } from '../errors.js'
import { report } from '../events.js'
import type { Drainable } from './drains.js'
import type { HookOptions, HookPhase } from './hooks.js'
import { type Lifecycle, lifecycle, type Unregister } from './lifecycle.js'

/** How something is registered. */
export interface CloseOptions extends HookOptions {
  /** In messages. Default what it is, such as `pg`. */
  name?: string | undefined
  /** Default the lifecycle of this process. */
  lifecycle?: Lifecycle | undefined
}

type Methods = Record<string, unknown>

interface Kind {
  name: string
  phase: HookPhase
  is(thing: Methods): boolean
  close(thing: Methods, signal: AbortSignal): unknown
}

const has = (thing: Methods, ...names: string[]): boolean =>
  names.every(name => typeof thing[name] === 'function')

const call = (thing: Methods, name: string, ...args: unknown[]): unknown =>
  (thing[name] as (...args: unknown[]) => unknown).apply(thing, args)

/** A method whose last argument is told when it is done. */
const told = (thing: Methods, name: string): Promise<void> =>
  new Promise((resolve, reject) => {
    call(thing, name, (error?: unknown) => (error ? reject(error) : resolve()))
  })

/** In this order: what has more methods stands before what has fewer of the same. */
const KINDS: Kind[] = [
  {
    name: 'fastify',
    phase: 'http',
    is: thing => has(thing, 'close', 'inject', 'addHook', 'ready'),
    close: thing => call(thing, 'close'),
  },
  {
    name: 'server',
    phase: 'http',
    is: thing => has(thing, 'close', 'listen', 'address'),
    close: thing => closeServer(thing),
  },
  {
    name: 'kysely',
    phase: 'db',
    is: thing => has(thing, 'destroy', 'selectFrom', 'transaction'),
    close: thing => call(thing, 'destroy'),
  },
  {
    name: 'mongoose',
    phase: 'db',
    is: thing => has(thing, 'disconnect', 'model', 'connect'),
    close: thing => call(thing, 'disconnect'),
  },
  {
    name: 'mongodb',
    phase: 'db',
    is: thing =>
      has(thing, 'close') &&
      (has(thing, 'db', 'startSession') || has(thing, 'model', 'collection')),
    close: thing => call(thing, 'close'),
  },
  {
    // ioredis: `quit` waits for the answers that are out; one that is not connected would wait for it.
    name: 'redis',
    phase: 'db',
    is: thing => has(thing, 'quit', 'disconnect', 'duplicate') && typeof thing.status === 'string',
    close: (thing, signal) => quit(thing, signal),
  },
  {
    name: 'redis',
    phase: 'db',
    is: thing => has(thing, 'close', 'destroy', 'sendCommand') && 'isOpen' in thing,
    close: thing => (thing.isOpen === true ? call(thing, 'close') : undefined),
  },
  {
    // mysql2 with callbacks; before pg, which also has `end` and `query`.
    name: 'mysql',
    phase: 'db',
    is: thing => has(thing, 'end', 'promise', 'format'),
    close: thing => told(thing, 'end'),
  },
  {
    name: 'mysql',
    phase: 'db',
    is: thing => has(thing, 'end', 'query', 'execute', 'format'),
    close: thing => call(thing, 'end'),
  },
  {
    name: 'pg',
    phase: 'db',
    is: thing => has(thing, 'end', 'query', 'connect'),
    close: thing => call(thing, 'end'),
  },
]

/**
 * Has something closed at the end of the process, in the group it belongs to: a Fastify instance or a
 * server of Node (http), for whose requests it waits until only the time of the hooks is left; Kysely,
 * pg, mysql2, MongoDB, mongoose, ioredis and redis (db). A server is better given to `lifecycle().add()` as
 * a `ServerTracker`, which knows its requests.
 *
 * @throws OptionError for what is none of them
 *
 * @example
 * ```ts
 * import { closeOnShutdown } from 'seawall/lifecycle'
 * import pg from 'pg'
 *
 * const pool = new pg.Pool()
 * closeOnShutdown(pool, { timeoutMs: 3000 })
 * ```
 */
export function closeOnShutdown(thing: object, options: CloseOptions = {}): Unregister {
  const { name, lifecycle: life = lifecycle(), ...hook } = options
  const methods = thing as Methods
  const isThing = (typeof thing === 'object' && thing !== null) || typeof thing === 'function'
  const kind = isThing ? KINDS.find(kind => kind.is(methods)) : undefined
  if (!kind) {
    throw new OptionError(
      `closeOnShutdown: it must be a Fastify instance, a server, or a client of a database that is known here (use onShutdown for others), got ${describe(thing)}`,
      'thing',
    )
  }
  if (kind.phase === 'http') return life.add(closing(name ?? kind.name, kind, methods))
  const close = ({ signal }: { signal: AbortSignal }): unknown => kind.close(methods, signal)
  return life.onShutdown(name ?? kind.name, close, { phase: kind.phase, ...hook })
}

/**
 * Stops a timer when the shutdown begins, so that no new work starts: one of `setInterval` or
 * `setTimeout`, or anything with `stop()` or to be disposed of, such as `every()`.
 */
export function stopOnShutdown(
  timer: object | number,
  options: { lifecycle?: Lifecycle | undefined } = {},
): Unregister {
  const life = options.lifecycle ?? lifecycle()
  const stop = (): void => {
    try {
      stopTimer(timer)
    } catch (error) {
      report(error, 'stopOnShutdown')
    }
  }
  const off = life.on('notReady', stop)
  return Object.assign(() => off(), { [Symbol.dispose]: off })
}

function stopTimer(timer: object | number): void {
  const thing = timer as Methods & Partial<Disposable>
  if (typeof timer === 'number' || has(thing, 'ref', 'unref')) clearTimeout(timer as number)
  else if (has(thing, 'stop')) {
    const stopped = call(thing, 'stop')
    if (stopped instanceof Promise) stopped.catch(error => report(error, 'stopOnShutdown'))
  } else thing[Symbol.dispose]?.()
}

/** What serves has until the end of the drain, not only the time of a hook. */
function closing(name: string, kind: Kind, thing: Methods): Drainable {
  let since: number | undefined
  let open = true
  const { signal } = new AbortController()
  return {
    name,
    beginDrain: () => {},
    close: async () => {
      since = performance.now()
      await kind.close(thing, signal)
      open = false
    },
    force: () => {
      const server = (has(thing, 'closeAllConnections') ? thing : thing.server) as Methods
      if (server && has(server, 'closeAllConnections')) call(server, 'closeAllConnections')
    },
    report: () => ({
      connections: 0,
      inFlight:
        since !== undefined && open
          ? [{ what: 'requests that are not known one by one', ageMs: performance.now() - since }]
          : [],
    }),
  }
}

async function closeServer(thing: Methods): Promise<void> {
  if (thing.listening === false) return
  const closed = told(thing, 'close')
  if (has(thing, 'closeIdleConnections')) call(thing, 'closeIdleConnections')
  await closed
}

async function quit(thing: Methods, signal: AbortSignal): Promise<void> {
  const disconnect = (): void => void call(thing, 'disconnect')
  if (thing.status !== 'ready') {
    disconnect()
    return
  }
  signal.addEventListener('abort', disconnect, { once: true })
  await call(thing, 'quit')
}
