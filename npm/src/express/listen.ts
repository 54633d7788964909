/** Makes any application listen on a socket of the worker's own, and finds the server it does it with. */

import type { ListenOptions } from 'node:net'
import { Server } from 'node:net'
import { OptionError, SeawallError } from '../errors.js'
import type { ExpressLike } from './types.js'

/** Where a worker listens: a path, or a port for the mode `cluster`. */
export type Place = { path: string } | { port: number; host: string; exclusive?: boolean }

type Listen = (...parameters: unknown[]) => unknown

/**
 * Lets `app` listen at `place`, whatever it asks for.
 *
 * @param own whether it may open its sockets itself
 * @returns the server, once it listens; nothing where it has none of Node
 * @throws (as a rejection) what listening failed with; OptionError for what cannot listen.
 */
export async function listenAt(
  app: ExpressLike,
  place: Place,
  own: boolean,
): Promise<Server | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<Server | undefined>()
  // Frameworks make their server in `listen`, and some do not hand it out. Whoever it is, it comes
  // by here; the method is put back as soon as it has.
  const original = Server.prototype.listen as Listen
  const known = serverOf(app)
  let seen = false
  const restore = (): void => {
    if (Server.prototype.listen === patched) Server.prototype.listen = original as never
  }
  const patched = function (this: Server, ...parameters: unknown[]): unknown {
    // A server of the program's own may listen while a framework's plugins start.
    if (seen || (known && this !== known)) return original.apply(this, parameters)
    seen = true
    restore()
    this.once('error', reject)
    this.once('listening', () => {
      this.off('error', reject)
      resolve(this)
    })
    const callback = parameters.findLast(parameter => typeof parameter === 'function')
    const where: ListenOptions = 'path' in place ? { ...place, exclusive: true } : place
    return original.apply(this, callback ? [where, callback] : [where])
  } as never
  Server.prototype.listen = patched
  try {
    const answer = await start(app, place, own, error => {
      if (error instanceof Error) reject(error)
      else if (seen) return
      else if (!own) reject(ownSockets())
      // What uWebSockets says where it could not listen.
      else if (error === false || error === null) reject(notListening())
      else resolve(undefined)
    })
    // Some answer a promise of the server before it was seen to listen.
    if (!seen && answer instanceof Server) resolve(answer)
  } catch (error) {
    // It may listen already, and not be able to serve.
    promise.catch(() => {})
    restore()
    throw error
  }
  return promise.finally(restore)
}

/** The server of an application, where that is known before it listens: itself, or Fastify's. */
function serverOf(app: ExpressLike): Server | undefined {
  if (app instanceof Server) return app
  const { server } = app as { server?: unknown }
  return server instanceof Server ? server : undefined
}

function ownSockets(): SeawallError {
  return new SeawallError(
    'SEAWALL_FRAMEWORK',
    'startServer: this application listens on sockets of its own, as ultimate-express does, so that no connection can be handed to it; give startServer() the `mode` "proxy", or use express or another framework on servers of Node',
  )
}

function notListening(): SeawallError {
  return new SeawallError('SEAWALL_LISTEN', 'startServer: the application could not listen')
}

function start(
  given: ExpressLike,
  place: Place,
  own: boolean,
  done: (error?: unknown) => void,
): unknown {
  const app = given as Partial<Record<'listen' | 'ready' | 'inject' | 'fetch', Listen>>
  if (given instanceof Server) return given.listening ? given : given.listen(place, () => done())
  const { listen } = app
  if (typeof listen === 'function') {
    // Fastify takes options alone, and is ready when the promise resolves.
    if (typeof app.ready === 'function' && typeof app.inject === 'function') {
      return listen.call(app, place)
    }
    if (own && 'path' in place) return listen.call(app, place.path, done)
    const [port, host] = 'path' in place ? [0, '127.0.0.1'] : [place.port, place.host]
    return listen.call(app, port, host, done)
  }
  if (typeof app.fetch === 'function') return serveFetch(app.fetch, place)
  throw new OptionError(
    'startServer: the application must have a method `listen` or `fetch`, or be a server',
    'app',
  )
}

/** Hono and the like: their adapter for Node makes the server. */
function serveFetch(fetch: Listen, place: Place): unknown {
  // Not imported: webpack takes the calls of what it knows for `createRequire` out of the code.
  const { createRequire } = process.getBuiltinModule('node:module')
  const require = createRequire(`${process.cwd()}/`)
  const { createAdaptorServer } = require('@hono/node-server') as {
    createAdaptorServer(options: object): Server
  }
  return createAdaptorServer({ fetch }).listen(place)
}

/** Closes an application with sockets of its own as it closes itself; waits for that at most `ms`, or until `signal`. */
export async function closeOwn(
  app: ExpressLike | undefined,
  ms: number,
  signal: AbortSignal,
): Promise<void> {
  const { close } = (app ?? {}) as { close?: Listen }
  if (typeof close !== 'function') return
  const late = Promise.withResolvers<void>()
  const timer = setTimeout(late.resolve, ms)
  if (signal.aborted) late.resolve()
  signal.addEventListener('abort', () => late.resolve())
  // Some tell by a promise, some by a callback, some have closed when they return.
  const closed = new Promise<void>((resolve, reject) => {
    const answer = close.call(app, () => resolve())
    Promise.resolve(answer).then(() => close.length === 0 && resolve(), reject)
  })
  await Promise.race([closed, late.promise]).finally(() => clearTimeout(timer))
}
