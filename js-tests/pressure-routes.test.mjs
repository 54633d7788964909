// Who blocked: the routes that frameworks enter are named by the stalls that come of them.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { afterEach, describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import express from 'express'
import Fastify from 'fastify'
import Fastify4 from 'fastify4'
import { Hono } from 'hono'
import Koa from 'koa'
import { engineKind } from 'seawall'
import underPressure from 'seawall/fastify'
import { PressureMonitor, pressureHono, pressureKoa, pressureMiddleware } from 'seawall/pressure'

const skip = engineKind() !== 'native' && 'needs the native engine'
const LENGTH = 160

const open = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

function block() {
  const end = performance.now() + LENGTH
  while (performance.now() < end);
}

/** A monitor that refuses nobody, and what its last stall of such a length was in. */
function watching() {
  const monitor = new PressureMonitor({ dryRun: true })
  open.push(() => monitor[Symbol.dispose]())
  const blamed = async () => {
    await wait(20)
    const stall = monitor.stalls().findLast(({ ms }) => ms > LENGTH - 5)
    return [stall?.route, stall?.entered]
  }
  return { monitor, blamed }
}

async function listening(server) {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  open.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${server.address().port}`
}

describe('a stall names the route', { skip }, () => {
  for (const [name, make] of [
    ['Fastify 5', Fastify],
    ['Fastify 4', Fastify4],
  ]) {
    test(`of ${name}, by its pattern`, async () => {
      const { monitor, blamed } = watching()
      const app = make()
      open.push(() => app.close())
      app.register(underPressure, { pressure: monitor })
      app.get('/users/:id', async () => block())
      app.get('/free', { config: { pressure: false } }, async () => block())
      app.setNotFoundHandler((_, reply) => {
        block()
        reply.send('')
      })
      await app.ready()
      await app.inject('/users/4711')
      assert.deepEqual(await blamed(), ['GET /users/:id', true])
      await app.inject('/free')
      assert.deepEqual(await blamed(), ['GET /free', true])
      await app.inject('/users/4711')
      await wait(20)
      await app.inject('/nowhere')
      assert.deepEqual(await blamed(), ['(not found)', true])
    })
  }

  test('of node:http, Express, Koa and Hono, with keys left out', async () => {
    const { monitor, blamed } = watching()
    const serve = pressureMiddleware(monitor)
    const plain = createServer((request, response) =>
      serve(request, response, () => {
        block()
        response.end()
      }),
    )
    const inExpress = express()
    inExpress.use('/api', pressureMiddleware(monitor), (_, response) => {
      block()
      response.end()
    })
    const koa = new Koa()
    koa.use(pressureKoa(monitor))
    koa.use(context => {
      block()
      context.body = ''
    })
    for (const server of [plain, createServer(inExpress), createServer(koa.callback())]) {
      const url = await listening(server)
      await (await fetch(`${url}/api/users/4711/files?token=1`, { method: 'POST' })).text()
      assert.deepEqual(await blamed(), ['POST /api/users/*/files', true])
    }
    const hono = new Hono()
    hono.use(pressureHono(monitor))
    hono.get('/users/:id', context => {
      block()
      return context.text('')
    })
    await hono.request('/users/4711')
    assert.deepEqual(await blamed(), ['GET /users/*', true])
  })

  test('also after a client asked for any number of paths', async () => {
    const { monitor, blamed } = watching()
    const serve = pressureMiddleware(monitor)
    const response = { once() {}, headersSent: false, setHeader() {}, writeHead() {}, end() {} }
    const ask = (url, next = () => {}) =>
      serve({ method: 'GET', url, headers: {}, socket: {} }, response, next)
    const letters = number => number.toString(2).replaceAll('0', 'a').replaceAll('1', 'b')
    for (let i = 0; i < 20_000; i++) ask(`/${letters(i)}${'/long'.repeat(i % 50)}`)
    await new Promise(resolve => setImmediate(resolve))
    ask('/one/more', block)
    assert.deepEqual(await blamed(), ['(other)', true])
    monitor.enter('known by its own name')
    block()
    assert.deepEqual(await blamed(), ['known by its own name', true])
    monitor.enter('x'.repeat(100_000))
    block()
    assert.deepEqual(await blamed(), ['x'.repeat(128), true])
  })
})
