import { call } from '../events.js'

/** Where this module writes, in the form of `@kysera/core`'s logger. */
export interface KyseraLogger {
  trace(message: string, ...args: unknown[]): void
  debug(message: string, ...args: unknown[]): void
  info(message: string, ...args: unknown[]): void
  warn(message: string, ...args: unknown[]): void
  error(message: string, ...args: unknown[]): void
  fatal(message: string, ...args: unknown[]): void
}

/** The default: the console, each line beginning with `[kysera:<level>]`. */
export const consoleLogger: KyseraLogger = {
  trace: (message, ...args) => console.debug(`[kysera:trace] ${message}`, ...args),
  debug: (message, ...args) => console.debug(`[kysera:debug] ${message}`, ...args),
  info: (message, ...args) => console.info(`[kysera:info] ${message}`, ...args),
  warn: (message, ...args) => console.warn(`[kysera:warn] ${message}`, ...args),
  error: (message, ...args) => console.error(`[kysera:error] ${message}`, ...args),
  fatal: (message, ...args) => console.error(`[kysera:fatal] FATAL: ${message}`, ...args),
}

/** Writes a line; a logger that throws is reported and stops nothing. */
export function log(
  logger: KyseraLogger,
  level: keyof KyseraLogger,
  message: string,
  ...args: unknown[]
): void {
  call(() => logger[level](message, ...args), `the logger's ${level}()`)
}
