// `npm run bench`: what Seawall costs beside other libraries, in one table with what it may cost.
// Says what missed its mark and never fails for it: machines are shared. `--quick` takes seconds.
import { spawnSync } from 'node:child_process'
import { loadavg } from 'node:os'

const quick = process.argv.includes('--quick')
const bench = import.meta.dirname

function child(script, args = [], { engine = '', flags = [] } = {}) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [...flags, script, ...args.map(String)],
    {
      cwd: bench,
      env: { ...process.env, SEAWALL_ENGINE: engine, NODE_OPTIONS: '' },
      encoding: 'utf8',
      maxBuffer: 2 ** 24,
    },
  )
  if (status !== 0) throw new Error(`${script} ${args.join(' ')} failed:\n${stderr}`)
  return JSON.parse(stdout.trim().split('\n').at(-1))
}

function table(heading, rows) {
  const widths = heading.map((_, i) => Math.max(...[heading, ...rows].map(row => row[i].length)))
  for (const row of [heading, ...rows]) {
    const cells = row.map((cell, i) =>
      i === 0 || i === row.length - 1 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]),
    )
    console.log(`  ${cells.join('  ').trimEnd()}`)
  }
  console.log()
}

const median = numbers => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]

const judged = { met: 0, missed: 0 }

/** The verdict on a figure that may be at most `most`. */
function verdict(figure, most, what, digits = 2) {
  judged[figure <= most ? 'met' : 'missed']++
  return `<= ${most} ${what}: ${figure.toFixed(digits)} ${figure <= most ? 'ok' : 'MISSED'}`
}

/** By group: the peer each variant is measured by, and where it has a mark, the share of the peer's overhead. */
const marks = engine => {
  const quarter = engine === 'wasm' ? 0.5 : 0.25
  return {
    success: {
      'seawall consecutive': ['cockatiel consecutive', quarter],
      'seawall count': ['cockatiel count', quarter],
      'seawall time': ['cockatiel sampling', 0.5],
      'seawall slow': ['cockatiel sampling'],
      'seawall outcome': ['cockatiel consecutive'],
    },
    failure: {
      'seawall consecutive': ['cockatiel consecutive'],
      'seawall count': ['cockatiel consecutive'],
      'seawall time': ['cockatiel sampling'],
      'seawall slow': ['cockatiel sampling'],
    },
    rejection: {
      'seawall consecutive, thrown': ['cockatiel', 0.3],
      'seawall count, thrown': ['cockatiel', 0.3],
      'seawall time, thrown': ['cockatiel', 0.3],
      'seawall slow, thrown': ['cockatiel', 0.3],
      'seawall, outcome': ['cockatiel', 0.1],
    },
    bulkhead: {
      'seawall bulkhead': ['cockatiel bulkhead', 0.5],
      'seawall bulkhead, outcome': ['cockatiel bulkhead'],
    },
    'bulkhead queue': { 'seawall bulkhead': ['cockatiel bulkhead'] },
    pipeline: {
      'seawall policy': ['cockatiel wrap, defaults', 0.1],
      'seawall policy, outcome': ['cockatiel wrap, defaults'],
      'seawall policy, with a log': ['cockatiel wrap, defaults'],
    },
    retry: { 'seawall withRetry': ['cockatiel retry', 0.5] },
    fallback: {
      'seawall Fallback': ['cockatiel fallback', 0.5],
      'seawall Fallback, answering': ['cockatiel fallback, answering'],
    },
    // By the cheaper of its two forms: the default aborts the signal of every call that succeeds.
    timeout: {
      'seawall hard': ['cockatiel, abortOnReturn: false', 0.5],
      'seawall cooperative': ['cockatiel, abortOnReturn: false', 0.5],
      'seawall quantile': ['cockatiel, abortOnReturn: false', 0.5],
      'seawall hedge': ['cockatiel, abortOnReturn: false'],
    },
  }
}

function calls(engine) {
  const { results, node } = child('calls.mjs', [quick ? 30 : 400], { engine })
  const all = marks(engine)
  for (const [group, figures] of Object.entries(results)) {
    const over = name => figures[name] - figures.bare
    const rows = Object.entries(figures).map(([name, ns]) => {
      const [peer, most] = all[group][name] ?? []
      const ratio = peer ? over(name) / over(peer) : undefined
      return [
        name,
        ns.toFixed(0),
        name === 'bare' ? '' : over(name).toFixed(0),
        ratio?.toFixed(2) ?? '',
        most ? verdict(ratio, most, `of ${peer}'s overhead`) : peer ? `of ${peer}'s overhead` : '',
      ]
    })
    console.log(`${group}, ${engine}, Node ${node}: ns per call`)
    table(['', 'ns', 'over bare', 'ratio', 'may cost'], rows)
  }
}

/**
 * One breaker and its peer in a process, as most services have it: V8 treats the closures of the
 * only breaker as constants, which several do not get.
 */
function single(engine) {
  const rows = []
  for (const [name, [peer, most]] of Object.entries(marks(engine).success)) {
    if (most === undefined) continue
    const runs = Array.from({ length: quick ? 1 : 5 }, () => {
      const chosen = [quick ? 30 : 300, 'success', `floor,${name},${peer}`]
      const { success } = child('calls.mjs', chosen, { engine }).results
      return [name, 'floor', peer].map(key => success[key] - success.bare)
    })
    const ratio = median(runs.map(([ours, , theirs]) => ours / theirs))
    const shown = [0, 1, 2].map(column => median(runs.map(run => run[column])).toFixed(0))
    rows.push([name, ...shown, ratio.toFixed(2), verdict(ratio, most, `of ${peer}'s overhead`)])
  }
  console.log(
    `success, ${engine}, the only breaker of its process, median of 5: ns over a bare call`,
  )
  table(['', 'over bare', 'a bare .then', 'peer', 'ratio', 'may cost'], rows)
}

function idle() {
  const [count, ms, processes] = [10_000, 1_000, quick ? 1 : 5]
  const runs = [
    ['seawall', 'native'],
    ['seawall', 'wasm'],
    ['cockatiel', ''],
    ['@kysera/infra', ''],
    ['opossum', ''],
  ]
  const rows = runs.map(([library, engine]) => {
    const samples = Array.from({ length: processes }, () =>
      child('idle.mjs', [library, count, ms], {
        engine,
        // A young generation of one size, whose growth would be taken for the breakers'.
        flags: ['--expose-gc', '--max-semi-space-size=1'],
      }),
    )
    const [rss, heap, external] = ['rss', 'heap', 'external'].map(kind =>
      median(samples.map(({ bytes }) => bytes[kind])),
    )
    const { timers } = samples[0]
    const cpuPercent = median(samples.map(sample => sample.cpuPercent))
    const mark = library === 'seawall'
    return [
      `${library} ${engine}`,
      ...[rss, heap, external].map(n => n.toFixed(0)),
      String(timers),
      cpuPercent.toFixed(2),
      mark
        ? [
            verdict(Math.max(rss, heap + external), 500, 'bytes', 0),
            verdict(timers, 0, 'timers', 0),
            verdict(cpuPercent, 0.5, '% CPU'),
          ].join(', ')
        : '',
    ]
  })
  console.log(
    `${count} idle breakers, median of ${processes} processes: bytes each, beyond an empty object; CPU over ${ms} ms`,
  )
  table(['', 'resident', 'heap', 'external', 'timers', '% CPU', 'may cost'], rows)
}

function imports() {
  const runs = quick ? 5 : 21
  const modules = {
    empty: './empty-too.mjs',
    seawall: 'seawall',
    cockatiel: 'cockatiel',
    '@kysera/infra': '@kysera/infra',
    opossum: 'opossum',
  }
  const samples = Object.fromEntries(Object.keys(modules).map(name => [name, []]))
  for (let i = 0; i < runs; i++) {
    for (const [name, specifier] of Object.entries(modules))
      samples[name].push(child('import.mjs', [specifier]))
  }
  const figures = Object.entries(samples).map(([name, list]) => ({
    name,
    ms: median(list.map(({ ms }) => ms)),
    mb: median(list.map(({ rss }) => rss)) / 2 ** 20,
  }))
  const [empty] = figures
  const rows = figures.map(({ name, ms, mb }) => {
    const [overMs, overMb] = [ms - empty.ms, mb - empty.mb]
    const mark = name === 'seawall'
    return [
      name,
      ms.toFixed(1),
      overMs.toFixed(1),
      mb.toFixed(1),
      overMb.toFixed(1),
      mark ? `${verdict(overMs, 10, 'ms', 1)}, ${verdict(overMb, 6, 'MB', 1)}` : '',
    ]
  })
  console.log(`import, median of ${runs} processes`)
  table(['', 'ms', 'over empty', 'MB resident', 'over empty', 'may cost'], rows)
}

const load = () => loadavg()[0].toFixed(1)
console.log(`load before: ${load()}\n`)
for (const engine of ['native', 'wasm']) {
  calls(engine)
  single(engine)
}
idle()
imports()
console.log(`load after: ${load()}; ${judged.met} marks met, ${judged.missed} missed`)
