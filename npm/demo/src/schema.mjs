import { sql } from 'kysely'

const products = [
  ['Harbour lamp', 4900],
  ['Rope, 20 m', 2350],
  ['Brass bell', 12900],
  ['Oilskin coat', 15900],
  ['Tide table', 1200],
  ['Signal flag', 1850],
  ['Compass', 7400],
  ['Enamel mug', 1450],
]

export const customerCount = 20
export const productCount = products.length
/** Of every product, at the start: far more than any run can sell. */
export const initialStock = 1_000_000

/** Creates the tables of the order service and fills in customers and products. */
export async function createSchema(db) {
  await db.schema
    .createTable('customers')
    .addColumn('id', 'serial', column => column.primaryKey())
    .addColumn('name', 'text', column => column.notNull())
    .addColumn('email', 'text', column => column.notNull().unique())
    .execute()
  await db.schema
    .createTable('products')
    .addColumn('id', 'serial', column => column.primaryKey())
    .addColumn('name', 'text', column => column.notNull())
    .addColumn('price_cents', 'integer', column => column.notNull())
    .addColumn('stock', 'integer', column => column.notNull().check(sql`stock >= 0`))
    .execute()
  await db.schema
    .createTable('orders')
    .addColumn('id', 'serial', column => column.primaryKey())
    .addColumn('customer_id', 'integer', column => column.notNull().references('customers.id'))
    .addColumn('idempotency_key', 'text', column => column.notNull().unique())
    .addColumn('total_cents', 'integer', column => column.notNull())
    .addColumn('placed_at', 'timestamptz', column => column.notNull().defaultTo(sql`now()`))
    .execute()
  await db.schema
    .createTable('order_items')
    .addColumn('order_id', 'integer', column => column.notNull().references('orders.id'))
    .addColumn('product_id', 'integer', column => column.notNull().references('products.id'))
    .addColumn('quantity', 'integer', column => column.notNull().check(sql`quantity > 0`))
    .addColumn('price_cents', 'integer', column => column.notNull())
    .addPrimaryKeyConstraint('order_items_key', ['order_id', 'product_id'])
    .execute()
  await db
    .insertInto('products')
    .values(products.map(([name, price_cents]) => ({ name, price_cents, stock: initialStock })))
    .execute()
  await db
    .insertInto('customers')
    .values(
      Array.from({ length: customerCount }, (_, index) => ({
        name: `Customer ${index + 1}`,
        email: `customer${index + 1}@example.com`,
      })),
    )
    .execute()
}
