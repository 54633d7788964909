import type { CheckReport, HealthVerdict } from './checks.js'
import type { ProbeCounts } from './probe-server.js'

/**
 * The text format of Prometheus, as `node-binding/src/native/probes/prometheus.rs` writes it where
 * there are threads. @internal
 */
export function metricsText(
  verdicts: readonly HealthVerdict[],
  checks: readonly CheckReport[],
  counts: ProbeCounts,
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
