// A real page in Chromium without a window, spoken to over its debugging port.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { end, environment, program } from './tools.mjs'

export const chromium = process.env.CHROMIUM ?? program('chromium', 'chromium-browser')

const FLAGS = [
  '--headless=new',
  // The sandbox needs another user than root; what is opened is ours.
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-extensions',
  '--disable-sync',
  '--no-first-run',
  '--no-default-browser-check',
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
  '--remote-debugging-port=0',
]

/** Starts a browser; `open` answers a page, `end` ends it. */
export async function browser() {
  const profile = mkdtempSync(join(tmpdir(), 'seawall-chromium-'))
  const child = spawn(chromium, [...FLAGS, `--user-data-dir=${profile}`, 'about:blank'], {
    env: environment(),
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let printed = ''
  const address = await new Promise((resolve, reject) => {
    child.stderr.setEncoding('utf8').on('data', text => {
      printed += text
      const [, found] = /DevTools listening on (ws:\S+)/.exec(printed) ?? []
      if (found) resolve(found)
    })
    child.once('error', reject)
    child.once('exit', code => reject(new Error(`Chromium ended with ${code}:\n${printed}`)))
  })
  const connection = await connect(address)
  const { product } = await connection.send('Browser.getVersion')
  return {
    version: product.replace(/^.*\//, ''),
    open: url => open(connection, url),
    async end() {
      connection.close()
      await end(child)
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

async function connect(address) {
  const socket = new WebSocket(address)
  const answers = new Map()
  const listeners = new Set()
  let last = 0
  socket.addEventListener('message', ({ data }) => {
    const { id, result, error, ...event } = JSON.parse(data)
    if (id === undefined) for (const listener of listeners) listener(event)
    else if (error) answers.get(id)?.reject(new Error(error.message))
    else answers.get(id)?.resolve(result)
    answers.delete(id)
  })
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve, { once: true })
    socket.addEventListener('error', () => reject(new Error('no connection')), { once: true })
  })
  return {
    listeners,
    close: () => socket.close(),
    send(method, params = {}, sessionId = undefined) {
      const id = ++last
      const answer = Promise.withResolvers()
      answers.set(id, answer)
      socket.send(JSON.stringify({ id, method, params, sessionId }))
      return answer.promise
    },
  }
}

async function open(connection, url) {
  const { targetId } = await connection.send('Target.createTarget', { url: 'about:blank' })
  const attached = await connection.send('Target.attachToTarget', { targetId, flatten: true })
  const send = (method, params) => connection.send(method, params, attached.sessionId)
  const errors = []
  connection.listeners.add(({ method, params, sessionId }) => {
    if (sessionId !== attached.sessionId) return
    if (method === 'Runtime.exceptionThrown') {
      const { exceptionDetails } = params
      errors.push(exceptionDetails.exception?.description ?? exceptionDetails.text)
    }
    if (method === 'Log.entryAdded' && params.entry.level === 'error')
      errors.push(params.entry.text)
  })
  await send('Runtime.enable')
  await send('Log.enable')
  await send('Page.enable')
  const loaded = new Promise(resolve => {
    connection.listeners.add(({ method, sessionId }) => {
      if (method === 'Page.loadEventFired' && sessionId === attached.sessionId) resolve()
    })
  })
  await send('Page.navigate', { url })
  await loaded
  return {
    /** What went wrong in the page so far. */
    errors,
    /** What an expression, or a promise of it, comes to. */
    async evaluate(expression) {
      const { result, exceptionDetails } = await send('Runtime.evaluate', {
        expression,
        awaitPromise: true,
        returnByValue: true,
      })
      if (!exceptionDetails) return result.value
      const why = exceptionDetails.exception?.description ?? exceptionDetails.text
      throw new Error(`${why}\n${errors.join('\n')}`)
    },
    close: () => connection.send('Target.closeTarget', { targetId }),
  }
}
