import { cp } from 'node:fs/promises'
import net from 'node:net'
import { join } from 'node:path'
import { connect } from './connect.mjs'
import { createSchema } from './schema.mjs'
import { Supervised } from './supervisor.mjs'

/** Sets a database up once, in `folder`, and answers how to get a fresh copy of it. */
export async function prepareDatabase(folder, port) {
  const original = join(folder, 'original')
  const database = new Supervised('./database.mjs', [original, port])
  await database.start()
  const { db } = connect(port)
  await createSchema(db)
  await db.destroy()
  await database.stop(5000)
  return async name => {
    const copy = join(folder, name)
    await cp(original, copy, { recursive: true })
    return copy
  }
}

/**
 * A free loopback port below the ones the system gives to outgoing connections: while the database
 * is down nobody else must get its port.
 */
export async function freePort() {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000)
    const server = net.createServer()
    const free = await new Promise(resolve => {
      server.once('error', () => resolve(false))
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
    })
    if (free) return port
  }
}
