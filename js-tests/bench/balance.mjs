// Handing connections over, carrying their bytes and balancing requests against Node's own cluster, two
// proxies in JavaScript, nginx and haproxy: two workers each, wrk on loopback, in alternating rounds,
// of which the best counts. "JavaScript proxy" is the least there can be, in front of servers of their
// own; "JavaScript balancer" chooses by the head of the first request among the workers of a cluster.
// Needs `wrk`; nginx (with its module `stream`) and haproxy are measured where they are
// installed. KINDS and LOADS are lists, separated by commas, of what alone is to be measured.
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const ROUNDS = Number(process.env.ROUNDS ?? 3)
/** How much processor time the mode `http` may take, as a multiple of haproxy's. */
const MARK = 1.2
const SECONDS = Number(process.env.SECONDS ?? 3)
const chosen = (list, all) =>
  Object.fromEntries(
    Object.entries(all).filter(([name]) => !list || list.split(',').includes(name)),
  )
const server = new URL('./balance-server.mjs', import.meta.url).pathname
const folder = mkdtempSync(join(tmpdir(), 'seawall-bench-'))
const children = []

const has = name => spawnSync('sh', ['-c', `command -v ${name}`]).status === 0

async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address()
  probe.close()
  await once(probe, 'close')
  return port
}

function run(command, parameters, env = {}) {
  const child = spawn(command, parameters, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  children.push(child)
  return child
}

async function answers(port) {
  for (let n = 0; n < 100; n++) {
    const up = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } }).then(
      answer => answer.ok,
      () => false,
    )
    if (up) return
    await sleep(100)
  }
  throw new Error(`nothing answers on ${port}`)
}

const node = (mode, env) => run(process.execPath, [server], { MODE: mode, ...env })

/** Two workers with ports of their own, for what stands in front of them. */
async function backends() {
  const ports = [await freePort(), await freePort()]
  const workers = ports.map(port => node('backend', { PORT: String(port) }))
  await Promise.all(ports.map(answers))
  return { ports, workers }
}

const kinds = {
  async handoff(port) {
    return [node('handoff', { PORT: String(port) })]
  },
  async proxy(port) {
    return [node('proxy', { PORT: String(port) })]
  },
  async http(port) {
    return [node('http', { PORT: String(port) })]
  },
  async cluster(port) {
    return [node('cluster', { PORT: String(port) })]
  },
  async 'JavaScript proxy'(port) {
    const { ports, workers } = await backends()
    return [node('javascript', { PORT: String(port), BACKENDS: ports.join() }), ...workers]
  },
  async 'JavaScript balancer'(port) {
    const ports = [await freePort(), await freePort()]
    return [node('inspecting', { PORT: String(port), BACKENDS: ports.join() })]
  },
}

const STREAM = '/usr/lib/nginx/modules/ngx_stream_module.so'
if (!has('nginx') || !existsSync(STREAM)) {
  console.error('NOT MEASURED: nginx with its module stream is not installed (libnginx-mod-stream)')
} else {
  kinds['nginx stream'] = async port => {
    const { ports, workers } = await backends()
    const file = join(folder, 'nginx.conf')
    writeFileSync(
      file,
      `load_module ${STREAM};
worker_processes 1; daemon off; pid ${folder}/nginx.pid; error_log ${folder}/nginx.log;
events { worker_connections 4096; }
stream { upstream w { ${ports.map(port => `server 127.0.0.1:${port};`).join(' ')} }
  server { listen 127.0.0.1:${port}; tcp_nodelay on; proxy_pass w; } }\n`,
    )
    return [run('nginx', ['-p', folder, '-c', file]), ...workers]
  }
}

if (has('haproxy')) {
  const haproxy = (mode, more) => async port => {
    const { ports, workers } = await backends()
    const file = join(folder, `haproxy-${mode}.cfg`)
    const servers = ports.map((port, index) => `  server w${index} 127.0.0.1:${port}\n`).join('')
    writeFileSync(
      file,
      `global
  nbthread 1
  maxconn 4096
defaults
  mode ${mode}
  timeout connect 5s
  timeout client 30s
  timeout server 30s
${more}listen l
  bind 127.0.0.1:${port}
  balance roundrobin
${servers}`,
    )
    return [run('haproxy', ['-f', file, '-db']), ...workers]
  }
  kinds['haproxy tcp'] = haproxy('tcp', '')
  kinds['haproxy http'] = haproxy('http', '  http-reuse always\n')
}

if (!has('haproxy')) {
  console.error(
    'NOT MEASURED: haproxy is not installed, so the mode http has nothing to be compared with',
  )
}

/** Processor time in microseconds: of processes and all that came of them, and of what is in front. */
function cpu(pids) {
  const children = new Map()
  const times = new Map()
  for (const pid of execFileSync('ls', ['/proc'], { encoding: 'utf8' }).match(/^\d+$/gm)) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      times.set(Number(pid), (Number(fields[11]) + Number(fields[12])) * 10_000)
      const parent = Number(fields[1])
      children.set(parent, [...(children.get(parent) ?? []), Number(pid)])
    } catch {}
  }
  const sum = pid =>
    (times.get(pid) ?? 0) + (children.get(pid) ?? []).reduce((all, child) => all + sum(child), 0)
  const all = pids.reduce((all, pid) => all + sum(pid), 0)
  // The workers are children of a front of Node, and beside any other.
  const [front] = pids
  return { all, front: pids.length === 1 ? (times.get(front) ?? 0) : sum(front) }
}

function wrk(port, path, headers) {
  const parameters = ['-t1', '-c64', `-d${SECONDS}s`, ...headers.flatMap(header => ['-H', header])]
  const { stdout } = spawnSync('wrk', [...parameters, `http://127.0.0.1:${port}${path}`], {
    encoding: 'utf8',
  })
  const [, count] = /(\d+) requests in/.exec(stdout) ?? []
  const [, rate] = /Requests\/sec:\s+([\d.]+)/.exec(stdout) ?? []
  const [, bad] = /Non-2xx or 3xx responses: (\d+)/.exec(stdout) ?? []
  const [, errors] = /Socket errors: (.*)/.exec(stdout) ?? []
  if (bad) console.error(`${bad} answers were no success`)
  return { count: Number(count), rate: Number(rate), errors }
}

const loads = {
  'keep-alive 100 B': ['/', []],
  'keep-alive 100 KB': ['/large', []],
  'a connection each': ['/', ['Connection: close']],
}

const measured = chosen(process.env.LOADS, loads)

if (!has('wrk')) {
  console.error('wrk is not installed')
  process.exit(1)
}

try {
  const running = {}
  for (const [name, start] of Object.entries(chosen(process.env.KINDS, kinds))) {
    const port = await freePort()
    running[name] = { port, parts: await start(port) }
    await answers(port)
  }
  const best = {}
  const rates = {}
  console.log(
    `load at the beginning ${loadavg()
      .map(load => load.toFixed(1))
      .join(' ')}`,
  )
  for (let round = 0; round < ROUNDS; round++) {
    for (const [load, [path, headers]] of Object.entries(measured)) {
      const names = Object.keys(running)
      if (round % 2) names.reverse()
      for (const name of names) {
        const { port, parts } = running[name]
        const pids = parts.map(({ pid }) => pid)
        const before = cpu(pids)
        const { count, rate, errors } = wrk(port, path, headers)
        const now = cpu(pids)
        const perRequest = (now.all - before.all) / count
        const inFront = (now.front - before.front) / count
        rates[load] ??= {}
        rates[load][name] = [...(rates[load][name] ?? []), rate]
        best[load] ??= {}
        const known = best[load][name]
        best[load][name] = {
          rate: Math.max(rate, known?.rate ?? 0),
          cpu: Math.min(perRequest, known?.cpu ?? Number.POSITIVE_INFINITY),
          front: Math.min(inFront, known?.front ?? Number.POSITIVE_INFINITY),
        }
        if (errors) console.error(`${name}, ${load}: ${errors}`)
      }
    }
  }
  for (const [load, results] of Object.entries(best)) {
    console.log(
      `\n${load}: requests per second, handoff and proxy as multiples of it, handoff in the median of the rounds, µs of processor each, of them in front`,
    )
    for (const [name, { rate, cpu, front }] of Object.entries(results)) {
      const ratios = rates[load].handoff?.map((own, round) => own / rates[load][name][round])
      const times = [
        results.handoff && results.handoff.rate / rate,
        results.proxy && results.proxy.rate / rate,
        ratios?.sort((a, b) => a - b)[ratios.length >> 1],
      ].map(ratio => (ratio?.toFixed(2) ?? '').padStart(6))
      console.log(
        `  ${name.padEnd(18)} ${rate.toFixed(0).padStart(8)} ${times.join(' ')} ${cpu.toFixed(1).padStart(7)} ${front.toFixed(1).padStart(7)}`,
      )
    }
  }
  if (running.http && running['haproxy http']) {
    console.log(
      '\nhttp as a multiple of haproxy with `http-reuse always`, processor time of all processes for a request',
    )
    for (const [load, { http, 'haproxy http': other }] of Object.entries(best)) {
      const times = http.cpu / other.cpu
      console.log(
        `  ${load.padEnd(18)} ${times.toFixed(2).padStart(6)}  ${times <= MARK ? 'within' : 'ABOVE'} the mark of ${MARK}`,
      )
    }
  }
  console.log(
    `\nload at the end ${loadavg()
      .map(load => load.toFixed(1))
      .join(' ')}`,
  )
} finally {
  for (const child of children) child.kill('SIGTERM')
  await Promise.race([Promise.all(children.map(child => once(child, 'exit'))), sleep(5000)])
  rmSync(folder, { recursive: true, force: true })
}
