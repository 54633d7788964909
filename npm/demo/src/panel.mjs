/** The redrawn lines of a running variant, each for 80 columns: the load, the service, the database, the time. */
export function panel({ view, title, url, load, database, latest, seconds, length }) {
  const { breaker, health, pool } = latest
  const failed = `failed ${load.failed}`
  const down = database.downForMs
  return [
    [
      `served ${load.served}`,
      load.failed > 0 ? view.style('red', failed) : failed,
      `slow ${load.slow}`,
      `in flight ${load.inFlight}`,
    ].join('  '),
    [
      `breaker ${view.style(marks[breaker] ?? 'dim', breaker ?? 'none')}`,
      `health ${view.style(marks[health] ?? 'dim', health ?? 'not watched')}`,
      `retries ${latest.retries}`,
      `waits at the breaker ${latest.waits}`,
    ].join('  '),
    [
      down === undefined
        ? view.style('green', `database up (pid ${database.pid})`)
        : view.style('red', `database down for ${(down / 1000).toFixed(1)} s`),
      `${latest.calls} calls, ${latest.callsToDead} to a dead one`,
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
  const done = Math.round(16 * Math.min(1, seconds / length))
  return `${'#'.repeat(done)}${'.'.repeat(16 - done)} ${seconds.toFixed(0)} of ${length} s`
}
