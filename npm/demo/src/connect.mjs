import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'

/** A pool and a Kysely over it. One connection: more is not safe with this server (database.mjs). */
export function connect(port) {
  const pool = new pg.Pool({
    host: '127.0.0.1',
    port,
    user: 'postgres',
    database: 'postgres',
    max: 1,
    connectionTimeoutMillis: 5000,
  })
  // A broken connection is dropped by the pool and fails the query that runs on it. But it also emits
  // 'error', on the pool when idle and on the client when in use: without a listener that ends the process.
  pool.on('error', () => {})
  pool.on('connect', client => client.on('error', () => {}))
  return { pool, db: new Kysely({ dialect: new PostgresDialect({ pool }) }) }
}

/**
 * Gives a code to the errors with which `pg` says that the connection broke under a query:
 * they come without one, so no retry would know them.
 */
export function withCode(error) {
  if (error instanceof Error && error.code === undefined && lostConnection.test(error.message)) {
    error.code = 'ECONNRESET'
  }
  return error
}

const lostConnection = /^Connection terminated|is not queryable$|connection has been discarded$/

/** Whether an error means that the database could not be reached, or was lost on the way. */
export function isConnectionError(error) {
  return /^(ECONN|EPIPE|ETIMEDOUT|57P0|08)/.test(String(error?.code))
}
