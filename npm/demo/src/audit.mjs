import { sql } from 'kysely'
import { withRetry } from 'seawall'
import { connect } from './connect.mjs'
import { initialStock } from './schema.mjs'

/**
 * Compares what the clients were told with what the database holds:
 * `lost`, orders confirmed and not there; `unconfirmed`, orders answered with an error and yet placed;
 * `balanced`, whether every piece that left the stock is in an order.
 */
export async function audit(port, { placedKeys }) {
  const { db } = connect(port)
  try {
    return await withRetry(() => compare(db, placedKeys), {
      maxAttempts: 8,
      delayMs: 250,
      shouldRetry: () => true,
    })
  } finally {
    await db.destroy()
  }
}

async function compare(db, placedKeys) {
  const orders = await db.selectFrom('orders').select('idempotency_key as key').execute()
  const { missing } = await db
    .selectFrom('products')
    .select(sql`sum(${initialStock}::int - stock)::int`.as('missing'))
    .executeTakeFirstOrThrow()
  const { sold } = await db
    .selectFrom('order_items')
    .select(sql`coalesce(sum(quantity), 0)::int`.as('sold'))
    .executeTakeFirstOrThrow()
  const held = new Set(orders.map(order => order.key))
  return {
    confirmed: placedKeys.size,
    lost: [...placedKeys].filter(key => !held.has(key)).length,
    unconfirmed: [...held].filter(key => !placedKeys.has(key)).length,
    balanced: missing === sold,
  }
}
