import { slowMs } from './load.mjs'

const rows = [
  ['served', ({ load }) => load.served],
  ['failed', ({ load }) => load.failed],
  [`slow (over ${slowMs} ms)`, ({ load }) => load.slow],
  ['calls retried', ({ counts }) => counts.retries],
  ['waits at the open breaker', ({ counts }) => counts.waits],
  ['p50 of the served', ({ load }) => `${load.percentile(0.5).toFixed(0)} ms`],
  ['p99 of the served', ({ load }) => `${load.percentile(0.99).toFixed(0)} ms`],
  ['calls to a dead database', ({ counts }) => counts.callsToDead],
  ['orders confirmed', ({ books }) => books.confirmed],
  ['  confirmed, not in the database', ({ books }) => books.lost],
  ['  answered with an error, yet placed', ({ books }) => books.unconfirmed],
  ['stock and orders agree', ({ books }) => (books.balanced ? 'yes' : 'NO')],
]

/** The two results side by side, as lines. */
export function table(without, seawall) {
  const line = (name, left, right) =>
    `  ${name.padEnd(38)}${String(left).padStart(16)}${String(right).padStart(16)}`
  return [
    line('', 'without', 'with Seawall'),
    ...rows.map(([name, of]) => line(name, of(without), of(seawall))),
    '',
    '  With Seawall a request waits for the database and is slow where without it is lost;',
    '  the breaker keeps that waiting away from a database that is down.',
    '',
    `  failures without:      ${reasons(without)}`,
    `  failures with Seawall: ${reasons(seawall)}`,
  ]
}

function reasons({ load }) {
  return [...load.failures].map(([reason, count]) => `${count} x ${reason}`).join(', ') || 'none'
}
