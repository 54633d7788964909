// Replays a decision vector of `rust-tests/vectors/breaker` on a `CircuitBreaker`. For any runtime:
// all it needs is given to it.

/**
 * The ways to replay: how calls are made, and whether the breaker is looked at after each step.
 * What a breaker decides must not depend on either.
 */
export const WAYS = [
  { calls: 'execute', look: false },
  { calls: 'execute', look: true },
  { calls: 'tryExecute', look: false },
  { calls: 'acquire', look: false },
]

/**
 * One vector, one way.
 *
 * @throws an error that names the step and what was otherwise.
 */
export async function replay(CircuitBreaker, vector, { calls, look }) {
  const world = new World(CircuitBreaker, vector, calls)
  for (const [index, step] of vector.steps.entries()) {
    const seen = await world.step(step)
    for (const [field, expected] of Object.entries(world.expected(step.expect, look))) {
      if (seen[field] !== expected) {
        const where = `${vector.name}, ${calls}${look ? ' and look' : ''}, step ${index + 1} (${JSON.stringify(step)})`
        throw new Error(`${where}: ${field} is ${seen[field]} and should be ${expected}`)
      }
    }
  }
}

class World {
  now = 0
  open = new Map()
  holds = []

  constructor(CircuitBreaker, { options, seed, steps }, calls) {
    this.calls = calls
    this.dropped = new Set(steps.filter(step => step.do === 'drop').map(step => step.call))
    const openFor = steps.some(step => step.openForMs !== undefined)
    this.breaker = new CircuitBreaker({
      ...options,
      seed,
      clock: { now: () => this.now },
      isFailure: error => error.neutral !== true,
      ...(openFor && { openFor: error => error.openForMs }),
    })
  }

  /** Of what is expected, what can be seen without a look at the breaker, or with one. */
  expected({ state, failures, ...expected }, look) {
    if (look)
      return {
        retryAfterMs: undefined,
        ...expected,
        state,
        ...(failures !== undefined && { failures }),
      }
    const isOpen = state === 'open' || state === 'isolated'
    return { retryAfterMs: undefined, ...expected, isClosed: state === 'closed', isOpen }
  }

  async step(step) {
    this.now = step.at
    const seen = (await this.act(step)) ?? {}
    const { breaker } = this
    const look = {
      get state() {
        return breaker.explain().state
      },
      get failures() {
        return breaker.explain().failures
      },
    }
    return Object.assign(look, { isClosed: breaker.isClosed(), isOpen: breaker.isOpen() }, seen)
  }

  act(step) {
    const { breaker } = this
    switch (step.do) {
      case 'acquire':
        return this.calls === 'acquire' ? this.acquire(step) : this.execute(step)
      case 'success':
      case 'failure':
      case 'neutral':
      case 'drop':
        return this.open.get(step.call)(step)
      case 'reset':
        return breaker.reset()
      case 'forceOpen':
        return breaker.forceOpen()
      case 'isolate':
        this.holds.push(breaker.isolate())
        return
      case 'release':
        this.holds.pop()?.[Symbol.dispose]()
        return
      case 'setMode':
        breaker.setMode(step.mode)
        return
      case 'look':
        breaker.explain()
        return
      default:
        throw new Error(`unknown step ${step.do}`)
    }
  }

  acquire({ call }) {
    let permit
    try {
      permit = this.breaker.acquire()
    } catch (error) {
      return refusal(error)
    }
    this.open.set(call, ({ do: end, openForMs }) => {
      if (end === 'drop') permit[Symbol.dispose]()
      else permit[end](Object.assign(new Error(end), { openForMs }))
    })
    return { decision: 'admitted' }
  }

  async execute({ call }) {
    const { promise, resolve, reject } = Promise.withResolvers()
    let ran = false
    const fn = () => {
      ran = true
      return promise
    }
    const aborter = this.dropped.has(call) ? new AbortController() : undefined
    const started = this.breaker[this.calls](fn, aborter && { signal: aborter.signal })
    const result =
      this.calls === 'tryExecute'
        ? started
        : started.then(
            value => ({ ok: true, value }),
            error => ({ ok: false, error }),
          )
    if (!ran) return refusal((await result).error)
    this.open.set(call, async ({ do: end, openForMs }) => {
      const error = Object.assign(new Error(end), { neutral: end === 'neutral', openForMs })
      if (end === 'drop') aborter.abort()
      if (end === 'success' || end === 'drop') resolve(call)
      else reject(error)
      const { ok, value, error: thrown } = await result
      if ((ok ? value : thrown) !== (end === 'success' || end === 'drop' ? call : error)) {
        throw new Error(`the call ${call} did not answer its own result`)
      }
    })
    return { decision: 'admitted' }
  }
}

function refusal(error) {
  if (error?.name !== 'CircuitBreakerError') throw error
  return { decision: 'rejected', reason: error.reason, retryAfterMs: error.retryAfterMs }
}
