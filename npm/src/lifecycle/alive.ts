/** What of a process is still alive, in words. */
import type { Drains } from './drains.js'
import type { Hooks } from './hooks.js'

/** Something alive, and since when on the clock. */
export interface Alive {
  what: string
  since: number
}

/** More would not be read. */
const MOST = 20

/** The oldest of what is under way: hooks that have not ended, requests in flight. */
export function aliveNow(hooks: Hooks, drains: Drains, inHooks: boolean, now: number): Alive[] {
  const alive: Alive[] = []
  const { running } = hooks
  if (running) {
    const { name, phase } = running.entry
    alive.push({ what: `hook '${name}' of ${phase}`, since: running.since })
  }
  if (inHooks) {
    for (const { name, phase } of hooks.waiting) {
      alive.push({ what: `hook '${name}' of ${phase} waits`, since: now })
    }
  }
  for (const drainable of drains.open()) {
    const { inFlight } = drains.report(drainable)
    for (const { what, ageMs } of inFlight) {
      alive.push({ what: `${what} (${drainable.name})`, since: now - ageMs })
    }
  }
  return alive.sort((a, b) => a.since - b.since).slice(0, MOST)
}

/** What keeps the event loop going, counted by kind; empty where the runtime does not say. */
export function activeResources(): string {
  const { process } = globalThis
  const counts = new Map<string, number>()
  for (const kind of process?.getActiveResourcesInfo?.() ?? []) {
    counts.set(kind, (counts.get(kind) ?? 0) + 1)
  }
  return [...counts].map(([kind, count]) => `${count} ${kind}`).join(', ')
}

/** Milliseconds as people read them. */
export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}
