import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import type { Health } from './health.js'
import type { StatusRouteOptions } from './options.js'

/** What the option says, in the long form; nothing where no route is wanted. */
export function statusOptions(
  option: boolean | string | StatusRouteOptions | undefined,
): (StatusRouteOptions & { url: string }) | undefined {
  if (!option) return undefined
  if (typeof option === 'string') return { url: option }
  // `true` has no properties of its own.
  return Object.assign({ url: '/status' }, option)
}

/** Adds the status route. Answers with the paths it got, which the prefixes around it may change. */
export function addStatusRoute(
  fastify: FastifyInstance,
  options: StatusRouteOptions & { url: string },
  handler: RouteOptions['handler'],
): Set<string> {
  const paths = new Set<string>()
  fastify.addHook('onRoute', route => {
    if (route.handler === handler) paths.add(route.url)
  })
  const { routeOpts, routeSchemaOpts, routeResponseSchemaOpts, url } = options
  const { response: responses = {}, ...schema } = (routeSchemaOpts ?? {}) as {
    response?: Record<string, object>
  }
  const { 200: success = {}, ...failures } = responses as {
    200?: { properties?: object }
  }
  fastify.route({
    ...routeOpts,
    url,
    method: 'GET',
    schema: {
      ...schema,
      response: {
        200: ok(success, routeResponseSchemaOpts),
        500: broken(),
        503: failed(),
        ...failures,
      },
    } as object,
    handler,
  })
  return paths
}

/** The route's answer: what the check says of the service now, or that it runs. */
export function statusHandler(
  health: Health,
  checks: boolean,
  notes: boolean,
  refuse: (reply: FastifyReply) => unknown,
): RouteOptions['handler'] {
  return async function onStatus(request: FastifyRequest, reply: FastifyReply): Promise<object> {
    const answer = { status: 'ok' }
    if (!checks) return answer
    let result: unknown
    try {
      result = await health.ask()
    } catch (err) {
      request.log.error({ err }, 'external health check failed with error')
      if (notes) health.note(false)
      throw refuse(reply)
    }
    if (notes) health.note(Boolean(result))
    if (!result) {
      request.log.error('external health check failed')
      throw refuse(reply)
    }
    return Object.assign(answer, result)
  }
}

function ok(custom: { properties?: object }, more: object | undefined): object {
  return {
    type: 'object',
    description: 'Health Check Succeeded',
    example: { status: 'ok' },
    ...custom,
    properties: { status: { type: 'string' }, ...more, ...custom.properties },
  }
}

function text(description: string, example: string): object {
  return { type: 'string', description, example }
}

function statusCode(example: number): object {
  const description = 'Code representing the error. Always matches the HTTP response code.'
  return { type: 'number', description, example }
}

function broken(): object {
  const message = text('Error message for failure during health check', 'Internal Server Error')
  return {
    type: 'object',
    description: 'Error Performing Health Check',
    properties: { message, statusCode: statusCode(500) },
  }
}

function failed(): object {
  return {
    type: 'object',
    description: 'Health Check Failed',
    properties: {
      code: text('Error code associated with the failing check', 'FST_UNDER_PRESSURE'),
      error: text('Error thrown during health check', 'Service Unavailable'),
      message: text('Error message to explain health check failure', 'Service Unavailable'),
      statusCode: statusCode(503),
    },
  }
}
