import { fork } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { fileURLToPath } from 'node:url'

const alive = new Set()
// The last resort: whatever ends this process by exit() leaves no child.
process.on('exit', () => killAll())

export function killAll() {
  for (const child of alive) child.kill('SIGKILL')
}

/**
 * One child process kept alive. Emits 'message' (from the child), 'output' (a line it wrote),
 * 'down' (why), 'up' (milliseconds it was down) and 'lost' (an error: it does not come up any more).
 */
export class Supervised extends EventEmitter {
  #file
  #args
  #child
  #stopping = false
  #stopped
  #restartTimer
  #restartDelayMs = 0
  #downSince
  #failures = 0

  constructor(file, args) {
    super()
    this.#file = fileURLToPath(new URL(file, import.meta.url))
    this.#args = args.map(String)
  }

  get pid() {
    return this.#child?.pid
  }

  /** Milliseconds since the child went down, undefined while it is up. */
  get downForMs() {
    return this.#downSince === undefined ? undefined : performance.now() - this.#downSince
  }

  /** Starts the child, resolves when it is ready. */
  start() {
    return new Promise((resolve, reject) => {
      this.#downSince = performance.now()
      this.once('up', resolve)
      this.once('lost', reject)
      this.#spawn()
    })
  }

  send(message) {
    if (this.#child?.connected) this.#child.send(message, () => {})
  }

  /** Kills the child; it is started again after `downMs`. */
  kill(downMs) {
    this.#restartDelayMs = downMs
    this.#child?.kill('SIGKILL')
  }

  /** Ends the child for good, with force after `graceMs`. Resolves with what it ended by. */
  stop(graceMs) {
    this.#stopped ??= this.#stop(graceMs)
    return this.#stopped
  }

  async #stop(graceMs) {
    this.#stopping = true
    clearTimeout(this.#restartTimer)
    const child = this.#child
    if (!child || !alive.has(child)) return undefined
    const exit = once(child, 'exit')
    child.kill('SIGTERM')
    const force = setTimeout(() => child.kill('SIGKILL'), graceMs)
    const [code, signal] = await exit
    clearTimeout(force)
    return signal ?? code
  }

  #spawn() {
    if (this.#stopping) return
    const child = fork(this.#file, this.#args, {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      execArgv: [],
      // A group of its own: Ctrl-C in the terminal is for the supervisor, which ends the children in order.
      detached: process.platform !== 'win32',
      windowsHide: true,
    })
    this.#child = child
    alive.add(child)
    let ready = false
    child.on('message', message => {
      if (message.type === 'ready') {
        ready = true
        this.#failures = 0
        const downMs = this.downForMs
        this.#downSince = undefined
        this.emit('up', downMs)
      }
      this.emit('message', message)
    })
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', text => {
        for (const line of text.split('\n')) if (line.trim() !== '') this.emit('output', line)
      })
    }
    child.on('error', () => {})
    child.once('exit', (code, signal) => {
      alive.delete(child)
      if (this.#stopping) return
      if (ready) {
        this.#downSince = performance.now()
        this.emit('down', signal ?? `exit status ${code}`)
      } else if (++this.#failures === 5) {
        this.#stopping = true
        const lost = new Error(
          `${this.#file} ended five times before it was ready (${signal ?? code})`,
        )
        if (!this.emit('lost', lost)) throw lost
        return
      }
      this.#restartTimer = setTimeout(
        () => this.#spawn(),
        this.#restartDelayMs || this.#failures * 200,
      )
      this.#restartDelayMs = 0
    })
  }
}
