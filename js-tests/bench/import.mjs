// What an import of the module given costs, after one of an empty module. Prints JSON.
await import('./empty.mjs')
const { rss } = process.memoryUsage()
const start = performance.now()
await import(process.argv[2])
const ms = performance.now() - start
console.log(JSON.stringify({ ms, rss: process.memoryUsage().rss - rss }))
