// A circuit breaker that remembers every call and recounts all of them each time: slow, and plain
// enough to be believed. `model.engine.test.mjs` compares the real one with it.

export class ModelBreaker {
  state = 'closed'
  mode = 'enforce'
  generation = 0
  totals = { successes: 0, failures: 0, neutral: 0, slow: 0, late: 0, rejected: 0 }
  /** Each change of the visible state. */
  changes = []
  /** Calls that ended since the breaker was last closed, in order. */
  ended = []
  probes = []
  holders = 0
  openings = 0
  last = 'closed'

  constructor(options) {
    this.options = { threshold: 5, resetTimeMs: 60_000, ...options }
  }

  /** A permit, or the reason of the refusal. */
  start(now) {
    if (this.mode === 'disabled') return this.permit(now)
    const reason = this.decide(now)
    if (typeof reason !== 'string') return reason
    this.totals.rejected++
    return this.mode === 'dryRun' ? this.permit(now) : reason
  }

  decide(now) {
    if (this.holders > 0) return 'isolated'
    if (this.state === 'open') {
      if (now <= this.until) return 'open'
      this.probes = []
      this.enter('half-open')
    }
    if (this.state === 'closed') return this.permit(now)
    const { permits = 1 } = this.options.halfOpen ?? {}
    this.expire(now)
    if (this.probes.filter(probe => probe.end !== 'lost').length >= permits) return 'probing'
    const probe = { ...this.permit(now), isProbe: true }
    this.probes.push(probe)
    return probe
  }

  permit(now) {
    return { generation: this.generation, at: now }
  }

  expire(now) {
    const lease = this.options.halfOpen?.leaseMs ?? Math.max(1, this.options.resetTimeMs)
    for (const probe of this.probes) {
      if (probe.end === undefined && now - probe.at >= lease) probe.end = 'lost'
    }
  }

  /** `how` is 'success', 'failure' or 'neutral'. */
  end(permit, how, now) {
    const slow = now - permit.at > (this.options.slowCallMs ?? Number.POSITIVE_INFINITY)
    this.totals[{ success: 'successes', failure: 'failures', neutral: 'neutral' }[how]]++
    if (slow) this.totals.slow++
    if (this.mode === 'disabled') return
    if (permit.generation !== this.generation || this.holders > 0) {
      this.totals.late++
    } else if (this.state === 'closed') {
      if (how === 'neutral') return
      this.ended.push({ failed: how === 'failure', slow, at: now })
      if (this.hasSeenEnough(now)) this.open(now)
    } else if (this.state === 'half-open' && permit.isProbe) {
      this.endProbe(permit, how, slow, now)
    }
  }

  endProbe(permit, how, slow, now) {
    this.expire(now)
    permit.end = how === 'neutral' ? 'lost' : how === 'failure' || slow ? 'bad' : 'good'
    const { permits = 1, successRate = 1 } = this.options.halfOpen ?? {}
    const required = Math.max(1, Math.ceil(permits * successRate))
    const count = end => this.probes.filter(probe => probe.end === end).length
    if (count('good') >= required) this.close()
    else if (count('bad') > permits - required) this.open(now)
  }

  /** The calls the rule looks at. */
  window(now) {
    const { withinMs, failureRate, slowCallRate, window } = this.options
    if (withinMs !== undefined)
      return this.ended.filter(call => call.failed && now - call.at <= withinMs)
    if (failureRate === undefined && slowCallRate === undefined) {
      const last = this.ended.findLastIndex(call => !call.failed)
      return this.ended.slice(last + 1)
    }
    if (window?.ms === undefined) return this.ended.slice(-(window?.calls ?? 100))
    const slice = window.ms / (window.slices ?? 10)
    const oldest = Math.floor(now / slice) - (window.slices ?? 10)
    return this.ended.filter(call => Math.floor(call.at / slice) > oldest)
  }

  counts(now) {
    const calls = this.window(now)
    return {
      calls: calls.length,
      failures: calls.filter(call => call.failed).length,
      slow: calls.filter(call => call.slow).length,
    }
  }

  hasSeenEnough(now) {
    const { threshold, failureRate, slowCallRate, minimumCalls, window } = this.options
    const { calls, failures, slow } = this.counts(now)
    if (failureRate === undefined && slowCallRate === undefined) return failures >= threshold
    if (calls < (minimumCalls ?? Math.min(20, window?.calls ?? 20))) return false
    const reached = (count, rate) => rate !== undefined && count > 0 && count / calls >= rate
    return reached(failures, failureRate) || reached(slow, slowCallRate)
  }

  open(now) {
    this.until = now + this.options.resetTimeMs
    this.openings++
    this.enter('open')
  }

  close() {
    this.ended = []
    this.openings = 0
    this.enter('closed')
  }

  forceOpen(now) {
    this.open(now)
  }

  isolate() {
    this.holders++
    if (this.holders === 1) this.enter(this.state)
  }

  release() {
    if (this.holders === 0) return
    if (this.holders === 1) {
      this.holders = 0
      this.close()
    } else this.holders--
  }

  setMode(mode) {
    if (mode === this.mode) return
    if (mode === 'disabled' || this.mode === 'disabled') this.close()
    this.mode = mode
  }

  enter(state) {
    this.state = state
    this.generation++
    const visible = this.visible()
    if (visible !== this.last) this.changes.push(`${this.last} > ${visible}`)
    this.last = visible
  }

  /** The state in three words. */
  visible() {
    return this.holders > 0 ? 'open' : this.state
  }
}
