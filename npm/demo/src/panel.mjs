/** The redrawn lines of a running variant. The first one is printed by itself where nothing is redrawn. */
export function panel({ view, title, url, load, database, latest, seconds, length }) {
  const { breaker, health = 'not watched', pool } = latest
  const failed = `failed ${load.failed}`
  const down = database.downForMs
  return [
    [
      `served ${load.served}`,
      load.failed > 0 ? view.style('red', failed) : failed,
      `slow ${load.slow}`,
      `in flight ${load.inFlight}`,
      `breaker ${view.style(marks[breaker] ?? 'dim', breaker ?? 'none')}`,
      `retries ${latest.retries ?? 0}`,
      `health ${view.style(marks[health] ?? 'dim', health)}`,
    ].join('  '),
    [
      down === undefined
        ? view.style('green', `database up (pid ${database.pid})`)
        : view.style('red', `database down for ${(down / 1000).toFixed(1)} s`),
      `calls ${latest.calls} (${latest.callsToDead} to a dead database)`,
      pool ? `pool ${pool.active} active, ${pool.waiting} waiting` : '',
    ].join('  '),
    `${view.style('bold', title)}  ${progress(seconds, length)}  ${url}/status`,
  ]
}

const marks = {
  closed: 'green',
  'half-open': 'yellow',
  open: 'red',
  healthy: 'green',
  degraded: 'yellow',
  unhealthy: 'red',
}

function progress(seconds, length) {
  if (!Number.isFinite(length)) return `serving for ${seconds.toFixed(0)} s`
  const done = Math.round(24 * Math.min(1, seconds / length))
  return `${'#'.repeat(done)}${'.'.repeat(24 - done)} ${seconds.toFixed(0)} of ${length} s`
}
