// What following a server costs per request: hello world with and without, by turns in one process.
// `npm run soak:tracking-cost`.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import { ServerTracker } from 'seawall/lifecycle'

if (process.argv[2] === 'client') {
  // As lean as can be, so that what is measured is the server.
  const request = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'
  process.on('message', async ({ port, requests }) => {
    const started = performance.now()
    let left = requests
    const run = () =>
      new Promise(resolve => {
        const socket = net.connect(port, '127.0.0.1', () => socket.write(request))
        socket.on('data', () => {
          if (--left > 0) socket.write(request)
          else socket.destroy()
        })
        socket.on('close', resolve)
        socket.on('error', () => {})
      })
    const all = Array.from({ length: 32 }, run)
    await Promise.race(all)
    process.send((requests / (performance.now() - started)) * 1000)
    process.exitCode = 0
  })
} else {
  const rounds = Number(process.argv[2] ?? 15)
  const start = async tracked => {
    const server = http.createServer((_, response) => response.end('hello world'))
    if (tracked) new ServerTracker(server)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return server.address().port
  }
  const ports = [await start(false), await start(true)]
  const client = fork(import.meta.filename, ['client'])
  const cpu = [[], []]
  const measure = async (which, requests) => {
    const before = process.cpuUsage()
    client.send({ port: ports[which], requests })
    await once(client, 'message')
    const { user, system } = process.cpuUsage(before)
    return (user + system) / requests
  }
  for (const which of [0, 1, 0, 1]) await measure(which, 30_000)
  for (let i = 0; i < rounds; i++) {
    for (const which of i % 2 ? [0, 1] : [1, 0]) cpu[which].push(await measure(which, 20_000))
  }
  client.kill()
  const median = list => [...list].sort((a, b) => a - b)[list.length >> 1]
  const ratios = cpu[0].map((plain, i) => plain / cpu[1][i])
  console.log(
    `plain ${median(cpu[0]).toFixed(2)} µs, tracked ${median(cpu[1]).toFixed(2)} µs CPU per request`,
  )
  console.log(
    `plain / tracked: median of pairs ${median(ratios).toFixed(3)}, best of each ${(Math.min(...cpu[0]) / Math.min(...cpu[1])).toFixed(3)}`,
  )
  process.exit()
}
