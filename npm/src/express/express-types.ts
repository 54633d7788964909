/**
 * The types of the user's Express, by the names `defuss-express` has for them; `any` where the
 * types of Express are not installed.
 */

// biome-ignore lint/suspicious/noTsIgnore: it is no error where they are installed
/** @ts-ignore any, where the types of Express are not installed */
export type ExpressRequest = import('express').Request
// biome-ignore lint/suspicious/noTsIgnore: it is no error where they are installed
/** @ts-ignore any, where the types of Express are not installed */
export type ExpressResponse = import('express').Response
// biome-ignore lint/suspicious/noTsIgnore: it is no error where they are installed
/** @ts-ignore any, where the types of Express are not installed */
export type ExpressNextFunction = import('express').NextFunction
// biome-ignore lint/suspicious/noTsIgnore: it is no error where they are installed
/** @ts-ignore any, where the types of Express are not installed */
export type ExpressApplication = import('express').Application
// biome-ignore lint/suspicious/noTsIgnore: it is no error where they are installed
/** @ts-ignore any, where the types of Express are not installed */
export type ExpressRequestHandler = import('express').RequestHandler
// biome-ignore lint/suspicious/noTsIgnore: it is no error where they are installed
/** @ts-ignore any, where the types of Express are not installed */
export type ExpressErrorRequestHandler = import('express').ErrorRequestHandler
// biome-ignore lint/suspicious/noTsIgnore: it is no error where they are installed
/** @ts-ignore any, where the types of Express are not installed */
export type ExpressRouter = import('express').Router
// biome-ignore lint/suspicious/noTsIgnore: it is no error where they are installed
/** @ts-ignore any, where the types of Express are not installed */
export type ExpressHandler = import('express').Handler
