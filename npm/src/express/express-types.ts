/**
 * The types of the user's Express, by the names `defuss-express` has for them; `any` where the
 * types of Express are not installed.
 */

// @ts-expect-error: not installed
export type ExpressRequest = import('express').Request
// @ts-expect-error: not installed
export type ExpressResponse = import('express').Response
// @ts-expect-error: not installed
export type ExpressNextFunction = import('express').NextFunction
// @ts-expect-error: not installed
export type ExpressApplication = import('express').Application
// @ts-expect-error: not installed
export type ExpressRequestHandler = import('express').RequestHandler
// @ts-expect-error: not installed
export type ExpressErrorRequestHandler = import('express').ErrorRequestHandler
// @ts-expect-error: not installed
export type ExpressRouter = import('express').Router
// @ts-expect-error: not installed
export type ExpressHandler = import('express').Handler
