// The database process: PostgreSQL (PGlite) on a loopback port, with its files in the given folder.
// Arguments: folder, port.
import { PGlite } from '@electric-sql/pglite'
import { PGLiteSocketServer } from '@electric-sql/pglite-socket'
import { randomExit } from 'seawall'
import { send } from './child.mjs'

const [folder, port] = process.argv.slice(2)
const database = await PGlite.create(folder)

// One backend serves all connections message by message, so statements of two connections mix
// ("unnamed prepared statement does not exist"): clients keep a pool of one. The spare places are
// for a connection that arrives before the end of the last one has been noticed.
const server = new PGLiteSocketServer({
  db: database,
  host: '127.0.0.1',
  port: Number(port),
  maxConnections: 8,
})
await server.start()

process.on('message', message => {
  if (message.type === 'exit') randomExit({ enabled: true, ...message.options })
})

process.on('SIGTERM', async () => {
  await server.stop()
  await database.close()
  process.exit(0)
})

send({ type: 'ready' })
