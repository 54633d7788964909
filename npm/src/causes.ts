import { engine } from './engine/index.js'

const numbers = new Map<string, number>()

/** The engine's number for what an error says of its cause: its code, else its HTTP status, else its name. */
export function causeOf(error: unknown): number {
  const label = causeLabel(error)
  let number = numbers.get(label)
  if (number === undefined) {
    number = engine().causeNumber(label)
    if (number > 0) numbers.set(label, number)
  }
  return number
}

/** What an error says of its cause. Never throws. @internal */
export function causeLabel(error: unknown): string {
  try {
    if (typeof error !== 'object' || error === null) return typeof error
    const { code, name, status } = error as Record<'code' | 'name' | 'status', unknown>
    // The numbers of a DOMException are history; its name says more.
    const isHistory = typeof DOMException === 'function' && error instanceof DOMException
    if (!isHistory && (typeof code === 'string' || typeof code === 'number')) {
      return String(code).slice(0, 64)
    }
    if (typeof status === 'number' && status > 0) return `HTTP ${status}`
    return typeof name === 'string' ? name.slice(0, 64) : 'object'
  } catch {
    return 'unreadable'
  }
}
