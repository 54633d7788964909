// One outage, many isolates: each has a breaker of its own, decides by itself and asks nobody on the
// way. What they share is that it opened, so that an isolate that begins in the middle of an outage,
// or has not met it yet, does not have to find out at the origin's cost.

/** How long the first request waits for what the others say, in ms. */
const WAIT_MS = 200
/** How often an isolate looks at what the others say, in ms. */
const LOOK_MS = 2_000

/** A store in a Durable Object: at once for everybody. */
export function durableObject(namespace, name) {
  const object = namespace.get(namespace.idFromName(name))
  const url = 'https://breaker.internal/'
  return {
    get: () => object.fetch(url).then(answer => answer.json()),
    put: kept => object.fetch(url, { method: 'PUT', body: JSON.stringify(kept) }),
  }
}

/** A store in KV: cheaper, and up to a minute late. */
export function kv(namespace, name) {
  const key = `breaker ${name}`
  return {
    get: () => namespace.get(key, 'json'),
    put: kept => namespace.put(key, JSON.stringify(kept), { expirationTtl: 3_600 }),
  }
}

/** A breaker whose openings other isolates hear of. */
export class SharedState {
  #breaker
  #looked = Number.NEGATIVE_INFINITY
  #opened = false

  constructor(breaker) {
    this.#breaker = breaker
    breaker.on('stateChange', ({ to }) => {
      if (to === 'open') this.#opened = true
    })
  }

  /** Takes over what others know: the first request of an isolate waits for it, later ones do not. */
  async look(store, ctx) {
    const now = Date.now()
    if (now - this.#looked < LOOK_MS) return
    const first = this.#looked === Number.NEGATIVE_INFINITY
    this.#looked = now
    const looking = Promise.resolve()
      .then(() => store.get())
      .then(
        kept => kept && this.#take(kept, Date.now()),
        // Without the store each isolate is on its own; that must not cost a request.
        error => console.warn('the state of the breaker is not known:', error.message),
      )
    ctx.waitUntil(looking)
    if (first) await Promise.race([looking, new Promise(done => setTimeout(done, WAIT_MS))])
  }

  /** Tells the others, if this isolate's breaker has opened since. */
  tell(store, ctx) {
    if (!this.#opened) return
    this.#opened = false
    const kept = { at: Date.now(), snapshot: this.#breaker.snapshot() }
    ctx.waitUntil(
      Promise.resolve()
        .then(() => store.put(kept))
        .catch(error => console.warn('the state of the breaker is not kept:', error.message)),
    )
  }

  #take({ at, snapshot }, now) {
    // A snapshot has ages in place of times; those that go on are moved on by the time it lay there.
    const agoMs = Math.max(0, now - at)
    const leftMs = snapshot.leftMs - agoMs
    if (!this.#breaker.isClosed() || leftMs <= 0) return
    this.#breaker.restore({ ...snapshot, leftMs, sinceMs: snapshot.sinceMs + agoMs })
    // That is no news to the others.
    this.#opened = false
  }
}
