import { SeawallError } from './errors.js'

/** What to do where an entry has no place: its job is somebody else's there, or another entry's. */
const INSTEAD: Record<string, string> = {
  'seawall/express':
    'It hands connections of one Node process to others. Workers are copied by their platform; in Deno ' +
    '`deno serve --parallel` and in Bun `reusePort` share a port. The policies of seawall and `pressureHono` ' +
    'of seawall/pressure work there as here',
  'seawall/fastify':
    'It is a plugin of Fastify for Node. Use `PressureMonitor` or `pressureHono` of seawall/pressure',
  'seawall/fastify/pressure':
    'It is a part of the plugin for Fastify. Use `PressureMonitor` or `pressureHono` of seawall/pressure',
  'seawall/lifecycle':
    'There is no process that ends and no signal that says so. In Workers pass what must be finished to `ctx.waitUntil`; ' +
    'of seawall, `every().stop()` and `[Symbol.dispose]` end what was begun',
}

/** What may be looked at without an error: promises, modules and consoles ask for it. */
const HARMLESS = new Set<string | symbol>(['then', 'prototype', 'name', 'length', 'toJSON'])

/**
 * Stands in for every export of an entry in a runtime that has no place for it: it can be imported,
 * bundled and passed on, so that code for several runtimes can name it. Whoever uses it gets a
 * {@link SeawallError} with the code `SEAWALL_RUNTIME`, which says what to use instead.
 *
 * @internal
 */
export function absent(entry: string): never {
  const refuse = (): never => {
    const message = `${entry} is not there in this runtime. ${INSTEAD[entry] ?? ''}`.trim()
    throw new SeawallError('SEAWALL_RUNTIME', message)
  }
  const nothing = function absent(): void {}
  return new Proxy(nothing, {
    apply: refuse,
    construct: refuse,
    get: (target, key) =>
      typeof key === 'symbol' || HARMLESS.has(key) ? Reflect.get(target, key) : refuse(),
  }) as never
}
