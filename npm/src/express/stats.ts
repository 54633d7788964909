import type { WorkerRuntimeStats } from './types.js'

/** Samples this process; the use of processors is that since the sample before. */
export class StatsSampler {
  #usage = process.cpuUsage()
  #at = performance.now()
  #cpuPercent = 0
  #memory: NodeJS.MemoryUsage = process.memoryUsage()

  sample(activeConnections: number): WorkerRuntimeStats {
    const now = performance.now()
    const elapsed = now - this.#at
    // Within a few ms the clock of processor time says anything.
    if (elapsed >= 20) {
      const { user, system } = process.cpuUsage(this.#usage)
      this.#cpuPercent = ((user + system) / 1000 / elapsed) * 100
      this.#usage = process.cpuUsage()
      this.#at = now
    }
    // It opens a file, for which a process may have no descriptor left: then the last one stands.
    try {
      this.#memory = process.memoryUsage()
    } catch {}
    const { rss, heapUsed, heapTotal, external, arrayBuffers } = this.#memory
    return {
      pid: process.pid,
      cpuPercent: this.#cpuPercent,
      rssBytes: rss,
      heapUsedBytes: heapUsed,
      heapTotalBytes: heapTotal,
      externalBytes: external,
      arrayBuffersBytes: arrayBuffers,
      uptimeMs: process.uptime() * 1000,
      activeConnections,
      sampledAt: Date.now(),
    }
  }
}
