/** Makes any application listen on a socket of the worker's own, and finds the server it does it with. */

import { createRequire } from 'node:module'
import type { ListenOptions } from 'node:net'
import { Server } from 'node:net'
import { OptionError, SeawallError } from '../errors.js'
import type { ExpressLike } from './types.js'

/** Where a worker listens: a path, or a port for the mode `cluster`. */
export type Place = { path: string } | { port: number; host: string }

type Listen = (...parameters: unknown[]) => unknown

/**
 * Lets `app` listen at `place`, whatever it asks for.
 *
 * @returns the server, once it listens
 * @throws (as a rejection) what listening failed with; OptionError for what cannot listen.
 */
export async function listenAt(app: ExpressLike, place: Place): Promise<Server> {
  const { promise, resolve, reject } = Promise.withResolvers<Server>()
  // Frameworks make their server in `listen`, and some do not hand it out. Whoever it is, it comes
  // by here; the method is put back as soon as it has.
  const original = Server.prototype.listen as Listen
  let seen = false
  const restore = (): void => {
    if (Server.prototype.listen === patched) Server.prototype.listen = original as never
  }
  const patched = function (this: Server, ...parameters: unknown[]): unknown {
    if (seen) return original.apply(this, parameters)
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
    const answer = await start(app, place, error => {
      if (error instanceof Error) reject(error)
      else if (!seen) reject(ownSockets())
    })
    // Some answer a promise of the server before it was seen to listen.
    if (!seen && answer instanceof Server) resolve(answer)
  } catch (error) {
    reject(error)
  }
  return promise.finally(restore)
}

function ownSockets(): SeawallError {
  return new SeawallError(
    'SEAWALL_FRAMEWORK',
    'startServer: this application listens on sockets of its own, as ultimate-express does, so that no connection can be handed to it; use express, or another framework on servers of Node',
  )
}

function start(given: ExpressLike, place: Place, done: (error?: unknown) => void): unknown {
  const app = given as Partial<Record<'listen' | 'ready' | 'inject' | 'fetch', Listen>>
  if (given instanceof Server) return given.listening ? given : given.listen(place, () => done())
  const { listen } = app
  if (typeof listen === 'function') {
    // Fastify takes options alone, and is ready when the promise resolves.
    if (typeof app.ready === 'function' && typeof app.inject === 'function') {
      return listen.call(app, place)
    }
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
  const require = createRequire(`${process.cwd()}/`)
  const { createAdaptorServer } = require('@hono/node-server') as {
    createAdaptorServer(options: object): Server
  }
  return createAdaptorServer({ fetch }).listen(place)
}
