import { stripVTControlCharacters, styleText } from 'node:util'

const hideCursor = '\x1b[?25l'
const showCursor = '\x1b[?25h'

/**
 * The terminal. Events are lines that stay; with `live` a few lines below them are redrawn.
 * Without, the first two of those lines are printed as one every two seconds.
 */
export class View {
  #out
  #live
  #colour
  #timer
  #panel = () => []
  #drawn = 0
  #retries = new Map()
  #retryTimer
  #clock = () => 0

  constructor({ out, live, colour }) {
    this.#out = out
    this.#live = live
    this.#colour = colour
  }

  /** A line that stays. */
  say(text = '') {
    this.#write(`${text}\n`)
  }

  style(format, text) {
    return this.#colour ? styleText(format, text, { validateStream: false }) : text
  }

  /** Something happened: when, to whom, what. */
  event(who, text, format = 'reset') {
    const seconds = `${this.#clock().toFixed(1).padStart(6)} s`
    this.say(`${this.style('dim', seconds)}  ${this.style(format, who.padEnd(9))} ${text}`)
  }

  /** Retries come by the dozen: one line for each half second. */
  retry(code) {
    this.#retries.set(code, (this.#retries.get(code) ?? 0) + 1)
    this.#retryTimer ??= setTimeout(() => this.#flushRetries(), 500)
  }

  /** Shows `panel()`, an array of lines, until `close()`. Events carry the seconds of `clock()`. */
  open(panel, clock) {
    this.#clock = clock
    this.#panel = panel
    if (this.#live) {
      this.#out.write(hideCursor)
      this.#timer = setInterval(() => this.#write(''), 200)
    } else {
      this.#timer = setInterval(() => this.event('status', panel().slice(0, 2).join('  ')), 2000)
    }
  }

  /** Takes the redrawn lines away and gives the terminal back. May be called at any time. */
  close() {
    clearInterval(this.#timer)
    this.#flushRetries()
    this.#panel = () => []
    this.#write('')
    if (this.#live) this.#out.write(showCursor)
  }

  #flushRetries() {
    clearTimeout(this.#retryTimer)
    this.#retryTimer = undefined
    if (this.#retries.size === 0) return
    const text = [...this.#retries].map(([code, count]) => `${count} x ${code}`).join(', ')
    this.#retries.clear()
    this.event('retry', text, 'yellow')
  }

  #write(text) {
    if (!this.#live) {
      if (text !== '') this.#out.write(text)
      return
    }
    const clear = this.#drawn > 0 ? `\x1b[${this.#drawn}A\r\x1b[J` : ''
    const lines = this.#panel().map(line => cut(line, this.#out.columns ?? 80))
    this.#drawn = lines.length
    this.#out.write(clear + text + lines.map(line => `${line}\n`).join(''))
  }
}

/** A line that would wrap would break the redrawing: it loses its colours and its end. */
function cut(line, columns) {
  const bare = stripVTControlCharacters(line)
  return bare.length < columns ? line : bare.slice(0, columns - 1)
}
