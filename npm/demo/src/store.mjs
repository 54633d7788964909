import { sql } from 'kysely'

/** The requests of the order service to its database. */
export const listProducts = db => db.selectFrom('products').selectAll().orderBy('id').execute()

export const readProduct = (db, id) =>
  db.selectFrom('products').selectAll().where('id', '=', id).executeTakeFirst()

export const listCustomers = db => db.selectFrom('customers').selectAll().orderBy('id').execute()

export const listOrders = (db, limit) =>
  db
    .selectFrom('orders')
    .innerJoin('customers', 'customers.id', 'orders.customer_id')
    .select(['orders.id', 'customers.name as customer', 'total_cents', 'placed_at'])
    .orderBy('orders.id', 'desc')
    .limit(limit)
    .execute()

export async function readOrder(db, id) {
  const order = await db.selectFrom('orders').selectAll().where('id', '=', id).executeTakeFirst()
  if (!order) return undefined
  const items = await db
    .selectFrom('order_items')
    .innerJoin('products', 'products.id', 'order_items.product_id')
    .select(['product_id', 'name', 'quantity', 'order_items.price_cents'])
    .where('order_id', '=', id)
    .execute()
  return { ...order, items }
}

/** More was ordered than there is. */
export class OutOfStock extends Error {
  name = 'OutOfStock'
  constructor(productId) {
    super(`product ${productId} is out of stock or unknown`)
    this.productId = productId
  }
}

/**
 * Places an order and takes its items from the stock, both or neither. The key is unique: whoever
 * sends it again, not knowing whether the first time arrived, gets the order of the first time.
 */
export async function placeOrder(db, key, { customerId, items }) {
  return await db.transaction().execute(async tx => {
    const order = await tx
      .insertInto('orders')
      .values({ customer_id: customerId, idempotency_key: key, total_cents: 0 })
      .onConflict(conflict => conflict.column('idempotency_key').doNothing())
      .returning('id')
      .executeTakeFirst()
    if (!order) {
      const first = await tx
        .selectFrom('orders')
        .select(['id', 'total_cents as totalCents'])
        .where('idempotency_key', '=', key)
        .executeTakeFirstOrThrow()
      return { ...first, repeated: true }
    }
    let totalCents = 0
    for (const { productId, quantity } of items) {
      const product = await tx
        .updateTable('products')
        .set({ stock: sql`stock - ${quantity}` })
        .where('id', '=', productId)
        .where('stock', '>=', quantity)
        .returning('price_cents')
        .executeTakeFirst()
      if (!product) throw new OutOfStock(productId)
      totalCents += quantity * product.price_cents
      await tx
        .insertInto('order_items')
        .values({ order_id: order.id, product_id: productId, quantity, ...product })
        .execute()
    }
    await tx
      .updateTable('orders')
      .set({ total_cents: totalCents })
      .where('id', '=', order.id)
      .execute()
    return { id: order.id, totalCents, repeated: false }
  })
}
