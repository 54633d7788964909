/** The status of every rejection. */
export const SERVICE_UNAVAILABLE = 503

/** The code of the errors this plugin makes. */
export const CODE = 'FST_UNDER_PRESSURE'

/** Makes the error of one rejection. */
export type MakeError = () => Error

/**
 * The class of the errors that say `message`.
 *
 * They are what `@fastify/error` makes, down to the order of the keys and to what `instanceof` says
 * of them, but for the stack: taking the frames of a rejection costs more than the rejection, when
 * there are many of them, and they lead to nothing but this plugin. So they are the header alone.
 */
export function errorClass(message: string): new () => Error {
  function FastifyError(this: Record<string, unknown>) {
    this.code = CODE
    this.name = 'FastifyError'
    this.statusCode = SERVICE_UNAVAILABLE
    this.message = message
  }
  const hidden = (value: unknown) => ({ value, writable: true, configurable: true })
  FastifyError.prototype = Object.create(Error.prototype, {
    constructor: hidden(FastifyError),
    [Symbol.for('fastify-error-generic')]: { value: true },
    [Symbol.for(`fastify-error ${CODE}`)]: { value: true },
    [Symbol.toStringTag]: hidden('Error'),
    toString: hidden(header),
    stack: {
      get: header,
      set(stack: unknown) {
        Object.defineProperty(this, 'stack', hidden(stack))
      },
      configurable: true,
    },
  })
  return FastifyError as unknown as new () => Error
}

function header(this: Error): string {
  return `${this.name} [${CODE}]: ${this.message}`
}

/** What Fastify would answer for such an error, for answers without one. */
export function bodyOf(message = 'Service Unavailable'): string {
  const error = 'Service Unavailable'
  return JSON.stringify({ statusCode: SERVICE_UNAVAILABLE, code: CODE, error, message })
}

/**
 * How the errors of the rejections are made: a new one for each, since what one request's handler
 * writes on it is no other request's business. An instance is what the user wants it to be.
 *
 * The class is tried here: one that cannot be constructed is better known when the server starts.
 */
export function maker(custom: unknown, message: string | undefined): MakeError {
  if (custom && typeof custom !== 'function') return () => custom as Error
  const Unavailable =
    (custom as (new () => Error) | undefined) || errorClass(message || 'Service Unavailable')
  const first = new Unavailable()
  if (!custom) return () => new Unavailable()
  return () => {
    try {
      return new Unavailable()
    } catch {
      // What is thrown here would take the place of the 503.
      return first
    }
  }
}
