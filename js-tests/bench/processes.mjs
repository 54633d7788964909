// What answers cost in kinds of servers, for the benchmarks beside this file. One process differs from
// the next of the same kind by more than what is measured here (where its code and heap come to lie,
// what the compiler chose), so every kind is started several times. The processes of one set take
// turns under load, so that what else the machine does meets all alike, and ratios are taken within a
// set. CPU is that of the server's process alone.
//
// The load is wrk's: a client that takes as long as the server leaves it waiting now and then, and then a
// quick server pays for being woken, where a slow one finds the next requests there already.
import { execFile, fork } from 'node:child_process'
import { once } from 'node:events'
import { loadavg } from 'node:os'
import { promisify } from 'node:util'

const run = promisify(execFile)
const HEADERS = ['-H', 'user-agent: bench', '-H', 'accept: */*']

export const median = numbers => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]

/** In the process of a server: says where it listens, and what it has used whenever it is asked. */
export function serves(server) {
  process.on('message', () => {
    const { user, system } = process.cpuUsage()
    const own = process.threadCpuUsage?.()
    process.send({ user, system, thread: own ? own.user + own.system : Number.NaN })
  })
  process.on('disconnect', () => process.exit())
  process.send({ port: server.address().port })
}

/** Loads a server for so many seconds; with `fresh` over a new connection for each request. */
async function load(port, { seconds, connections, fresh }) {
  const close = fresh ? ['-H', 'connection: close'] : []
  const load = ['-t', '1', '-c', `${connections}`, '-d', `${seconds}s`, ...HEADERS, ...close]
  const { stdout } = await run('wrk', [...load, `http://127.0.0.1:${port}/`])
  return Number(/(\d+) requests in/.exec(stdout)[1])
}

async function start(file, kind) {
  const child = fork(file, ['serve', kind])
  const [{ port }] = await once(child, 'message')
  const used = async () => {
    child.send('used')
    const [all] = await once(child, 'message')
    return all
  }
  return { kind, child, port, used }
}

/**
 * Measures what `kinds` of servers cost, which `file` serves when it is run with `serve` and a kind.
 * Answers with a row for each kind: in each set the medians of the rounds, in µs for each request.
 */
export async function compare(
  file,
  kinds,
  { sets, rounds, seconds, connections = 32, fresh = false },
) {
  const how = { seconds, connections, fresh }
  await run('wrk', ['-v']).catch(({ code }) => {
    if (code === 'ENOENT') throw new Error('wrk is not installed')
  })
  const rows = Object.fromEntries(kinds.map(kind => [kind, []]))
  for (let set = 0; set < sets; set++) {
    const servers = []
    for (const kind of set % 2 ? kinds.toReversed() : kinds) servers.push(await start(file, kind))
    // The first loads are for the compiler.
    for (const server of servers) await load(server.port, { ...how, seconds: 1 })
    const seen = Object.fromEntries(kinds.map(kind => [kind, []]))
    for (let round = 0; round < rounds; round++) {
      for (const server of round % 2 ? servers.toReversed() : servers) {
        const before = await server.used()
        const answers = await load(server.port, how)
        const after = await server.used()
        const each = what => (after[what] - before[what]) / answers
        seen[server.kind].push({
          user: each('user'),
          system: each('system'),
          cpu: each('user') + each('system'),
          thread: each('thread'),
          rate: answers / seconds,
        })
      }
    }
    for (const { kind } of servers) {
      const of = what => median(seen[kind].map(round => round[what]))
      const row = Object.fromEntries(Object.keys(seen[kind][0]).map(what => [what, of(what)]))
      rows[kind].push({ ...row, best: Math.min(...seen[kind].map(({ cpu }) => cpu)) })
    }
    for (const { child } of servers) {
      child.disconnect()
      await once(child, 'exit')
    }
  }
  return rows
}

/** What the ratios of two kinds were within the sets. */
export function ratios(rows, a, b, what = 'cpu') {
  return rows[a].map((row, set) => row[what] / rows[b][set][what])
}

/**
 * Prints the rows: medians over the sets, with the least and the most of the CPU, and the best round of
 * all: what else the machine does only ever adds.
 */
export function print(rows, title) {
  const sets = Object.values(rows)[0].length
  console.log(`\n${title}; load ${loadavg()[0].toFixed(1)}, Node ${process.version}`)
  console.log(`µs for each request, median of ${sets} processes of each kind`)
  const cell = text => String(text).padStart(9)
  const heads = ['CPU', 'least', 'most', 'best', 'user', 'system', 'thread', 'per s']
  console.log(`  ${''.padEnd(32)}${heads.map(cell).join('')}`)
  for (const [kind, sets] of Object.entries(rows)) {
    const of = (what, digits = 1) => median(sets.map(row => row[what])).toFixed(digits)
    const all = sets.map(row => row.cpu)
    const cells = [
      of('cpu'),
      Math.min(...all).toFixed(1),
      Math.max(...all).toFixed(1),
      Math.min(...sets.map(({ best }) => best)).toFixed(1),
      of('user'),
      of('system'),
      of('thread', 2),
      of('rate', 0),
    ]
    console.log(`  ${kind.padEnd(32)}${cells.map(cell).join('')}`)
  }
}

/** Prints a ratio beside its mark: `what` of `a` by that of `b`, at most or at least `mark`. */
export function judge(rows, a, b, what, mark) {
  const all = ratios(rows, a, b, what).toSorted((x, y) => x - y)
  const value = median(all)
  const isRate = what === 'rate'
  const met = isRate ? value >= mark : value <= mark
  const spread = `(${all[0].toFixed(3)} to ${all.at(-1).toFixed(3)})`
  const name = { cpu: 'CPU', rate: 'requests', thread: 'JavaScript' }[what]
  const sign = isRate ? '>=' : '<='
  const verdict = met ? 'ok' : 'MISSED'
  console.log(
    `  ${name} of "${a}" by "${b}" ${sign} ${mark.toFixed(2)}: ${value.toFixed(3)} ${spread} ${verdict}`,
  )
}
