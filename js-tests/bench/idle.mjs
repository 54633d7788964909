// What 10,000 idle breakers of one library cost: bytes, timers, processor time. Prints JSON.
const [library, count, idleMs] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])]

let timers = 0
for (const kind of ['Timeout', 'Interval']) {
  const { [`set${kind}`]: set, [`clear${kind}`]: clear } = globalThis
  const live = new Set()
  globalThis[`set${kind}`] = (...args) => {
    const timer = set(...args)
    live.add(timer)
    timers++
    return timer
  }
  globalThis[`clear${kind}`] = timer => {
    if (live.delete(timer)) timers--
    return clear(timer)
  }
}

async function maker() {
  switch (library) {
    case 'seawall': {
      const { CircuitBreaker } = await import('seawall')
      return () => new CircuitBreaker()
    }
    case 'cockatiel': {
      const { circuitBreaker, ConsecutiveBreaker, handleAll } = await import('cockatiel')
      const options = { halfOpenAfter: 10_000 }
      return () => circuitBreaker(handleAll, { ...options, breaker: new ConsecutiveBreaker(5) })
    }
    case 'opossum': {
      const { default: Opossum } = await import('opossum')
      const fn = async () => 1
      return () => new Opossum(fn)
    }
    case '@kysera/infra': {
      const { CircuitBreaker } = await import('@kysera/infra')
      return () => new CircuitBreaker()
    }
    default:
      throw new Error(`unknown library ${library}`)
  }
}

/** Resident, heap and external bytes once nothing more can be collected. */
function memory() {
  for (let i = 0; i < 6; i++) globalThis.gc()
  const { rss, heapUsed, external } = process.memoryUsage()
  return { rss, heap: heapUsed, external }
}

const make = await maker()
// Warms up: compiled code and the growth of the young generation would be taken for the breakers'.
for (let i = 0; i < 3_000; i++) make()[Symbol.dispose]?.()
let garbage = []
for (let i = 0; i < 3e6; i++) garbage = [garbage.length, {}]
const [empties, breakers] = [new Array(count), new Array(count)]
const start = memory()
for (let i = 0; i < count; i++) empties[i] = {}
const empty = memory()
timers = 0
for (let i = 0; i < count; i++) breakers[i] = make()
const full = memory()

const each = kind => (full[kind] - empty[kind] - (empty[kind] - start[kind])) / count
const wait = ms => new Promise(resolve => setTimeout(resolve, ms))
await wait(200)
const own = timers
const before = process.cpuUsage()
await wait(idleMs)
const { user, system } = process.cpuUsage(before)
const result = {
  library,
  bytes: { rss: each('rss'), heap: each('heap'), external: each('external') },
  timers: own - 1,
  cpuPercent: ((user + system) / 1_000 / idleMs) * 100,
  held: breakers.length + empties.length + garbage.length,
}
console.log(JSON.stringify(result))
process.exit()
