/** The queries this module sends, through the user's Kysely; the package itself is never imported. */
import type { Kysely } from 'kysely'

/** Sends the smallest query there is. */
export function ping<DB>(db: Kysely<DB>): Promise<unknown> {
  return db.selectNoFrom(eb => eb.val(1).as('ping')).execute()
}

/**
 * What asks the server for its version; throws where the dialect does not say what to ask, without
 * having sent anything. The answer rejects where the server says nothing.
 */
export function versionQuery<DB>(db: Kysely<DB>): () => Promise<string> {
  const [name, ...args] = versionFunction(db)
  return async () => {
    const rows = await db
      .selectNoFrom(eb =>
        eb
          .fn<unknown>(
            name,
            args.map(arg => eb.val(arg)),
          )
          .as('version'),
      )
      .execute()
    const version = (rows[0] as { version?: unknown } | undefined)?.version
    if (typeof version !== 'string' || version === '')
      throw new TypeError('the answer is no version')
    return version
  }
}

/**
 * The function that tells the version, and its arguments. A wrong guess would put an error into
 * the logs of Kysely and of the server, so it goes by what the dialect says of itself: only SQL
 * Server has OUTPUT, only PostgreSQL and SQLite have RETURNING, and of these only PostgreSQL has
 * schema changes inside transactions. (Class names do not survive minifiers.)
 */
function versionFunction<DB>(db: Kysely<DB>): [name: string, ...args: string[]] {
  const { adapter } = db.getExecutor()
  if (adapter.supportsOutput) return ['serverproperty', 'ProductVersion']
  if (adapter.supportsReturning && !adapter.supportsTransactionalDdl) return ['sqlite_version']
  return ['version']
}
