import { LEVELS } from '../pressure/explain.js'
import type { PressureMonitor } from '../pressure/monitor.js'
import type { PressureSignal } from '../pressure/signals.js'
import type { ProbeCounts } from './probe-server.js'
import type { CheckReport, HealthVerdict } from './report.js'

/** The signals but the block, which is there anyway: what each is called and is. */
const SIGNALS: readonly (readonly [PressureSignal, string, string])[] = [
  [
    'delayP50',
    'event_loop_delay_p50_seconds',
    'Median of the delays of the event loop over the last second.',
  ],
  [
    'delayP99',
    'event_loop_delay_p99_seconds',
    '99th percentile of the delays of the event loop over the last second.',
  ],
  [
    'delayMax',
    'event_loop_delay_max_seconds',
    'The longest delay of the event loop over the last second.',
  ],
  [
    'utilization',
    'event_loop_utilization_ratio',
    'Which part of the last second the event loop worked.',
  ],
  [
    'utilizationSmooth',
    'event_loop_utilization_smoothed_ratio',
    'Which part of the time the event loop worked, smoothed over ten seconds.',
  ],
  ['heapUsed', 'heap_used_bytes', 'The JavaScript heap in use.'],
  ['heapLimit', 'heap_limit_bytes', 'To what the JavaScript heap may grow.'],
  ['rss', 'process_resident_memory_bytes', 'Memory of the process that is resident.'],
  ['memoryUsed', 'memory_used_bytes', 'Memory that counts against the limit of the container.'],
  ['memoryLimit', 'memory_limit_bytes', 'The limit of memory of the container, or of the machine.'],
  [
    'cpuThrottled',
    'cpu_throttled_ratio',
    'Which part of the last scheduler periods the container was throttled in.',
  ],
  ['cpuStall', 'cpu_stall_ratio', 'Which part of the time some task waited for a processor.'],
  ['memoryStall', 'memory_stall_ratio', 'Which part of the time all tasks waited for memory.'],
  ['ioStall', 'io_stall_ratio', 'Which part of the time all tasks waited for disks.'],
  ['inFlight', 'requests_in_flight', 'Requests under way.'],
  ['queue', 'request_queue_seconds', 'How long requests waited before they were begun.'],
]

/**
 * The text format of Prometheus, as `node-binding/src/native/probes/prometheus.rs` writes it where
 * there are threads. @internal
 */
export function metricsText(
  verdicts: readonly HealthVerdict[],
  checks: readonly CheckReport[],
  counts: ProbeCounts,
  monitor: PressureMonitor,
): string {
  const lines: string[] = []
  const metric = (
    name: string,
    type: 'gauge' | 'counter',
    help: string,
    values: readonly (readonly [labels: string, value: number])[],
  ): void => {
    if (values.length === 0) return
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`)
    for (const [labels, value] of values) lines.push(`${name}${labels} ${value}`)
  }
  metric(
    'seawall_event_loop_blocked_seconds',
    'gauge',
    'For how long the event loop has not turned until now.',
    [['', 0]],
  )
  const signals = monitor.signals()
  for (const [signal, name, help] of SIGNALS) {
    const value = signals[signal]
    if (value === undefined) continue
    metric(`seawall_${name}`, 'gauge', help, [
      ['', name.endsWith('_seconds') ? value / 1000 : value],
    ])
  }
  metric(
    'seawall_pressure_ratio',
    'gauge',
    'How much pressure the process is under, from 0 to 1.',
    [['', monitor.pressure]],
  )
  metric('seawall_pressure_level', 'gauge', 'The level of pressure, from 0 (normal) to 4 (full).', [
    ['', LEVELS.indexOf(monitor.level)],
  ])
  metric(
    'seawall_health_passing',
    'gauge',
    'Whether a probe is answered with yes (1) or no (0).',
    verdicts.map(({ kind, passing }) => [`{probe="${kind}"}`, Number(passing)]),
  )
  const labels = ({ name, kind }: CheckReport): string =>
    `{check="${name.replace(/["\\]/g, '\\$&').replaceAll('\n', '\\n')}",kind="${kind}"}`
  metric(
    'seawall_health_check_passing',
    'gauge',
    'Whether a health check counts as well (1) or not (0).',
    checks.map(check => [labels(check), Number(check.passing)]),
  )
  metric(
    'seawall_health_check_age_seconds',
    'gauge',
    'How long ago the last result of a health check came; NaN before the first.',
    checks.map(check => [labels(check), check.ageMs === null ? Number.NaN : check.ageMs / 1000]),
  )
  metric('seawall_probe_connections', 'gauge', 'Connections to the probe server that are open.', [
    ['', counts.open],
  ])
  for (const [name, help, value] of [
    ['connections_total', 'Connections the probe server accepted.', counts.accepted],
    [
      'connections_displaced_total',
      'Connections the probe server closed to make room for others.',
      counts.displaced,
    ],
    ['requests_total', 'Requests the probe server answered.', counts.answered],
    ['refused_total', 'What the probe server refused as no request.', counts.refused],
  ] as const) {
    metric(`seawall_probe_${name}`, 'counter', help, [['', value]])
  }
  return `${lines.join('\n')}\n`
}
