// Everything a runtime can be asked without being anything but JavaScript, as one report. Runs in
// the empty project of a test, beside the vectors (`vectors.mjs`) and what replays them.

import * as seawall from 'seawall'
import { CircuitBreaker, engineKind, engineStats } from 'seawall'
import { WORLDS } from '../replay/policies.mjs'
import { replay as replayPolicy } from '../replay/tools.mjs'
import { replay as replayBreaker, WAYS } from '../replay.mjs'
import vectors from '../vectors.mjs'
import { entries } from './entries.mjs'
import { policies } from './policies.mjs'

/** What a failed scenario answers. */
export const FAILED = 'failed'

/**
 * @param context what the host gave the runtime: `origin`, an address of the test's own server;
 * `offline`, nothing may be listened on; `brief`, without the long vectors.
 */
export async function play(context = {}) {
  const results = []
  for (const [name, run] of Object.entries({ ...policies, ...entries })) {
    const result = { name, value: 'yes' }
    try {
      const value = await run(context)
      result.value = value === undefined ? 'yes' : value
    } catch (error) {
      result.value = FAILED
      result.error = String(error?.stack ?? error)
    }
    results.push(result)
  }
  return {
    engine: engineKind(),
    breakers: engineStats().breakers,
    exported: Object.keys(seawall).length,
    results,
    vectors: await replayAll(context.brief),
  }
}

async function replayAll(brief) {
  const failures = []
  let replayed = 0
  const run = async act => {
    try {
      await act()
    } catch (error) {
      failures.push(String(error?.message ?? error))
    }
    replayed++
  }
  const chosen = list => list.filter(({ name }) => !brief || !name.startsWith('long'))
  for (const vector of chosen(vectors.breaker)) {
    await run(() => replayBreaker(CircuitBreaker, vector, WAYS[0]))
    await run(() => replayBreaker(CircuitBreaker, vector, WAYS[3]))
  }
  for (const [policy, World] of Object.entries(WORLDS)) {
    for (const vector of chosen(vectors[policy])) await run(() => replayPolicy(World, vector))
  }
  return { replayed, failures }
}
