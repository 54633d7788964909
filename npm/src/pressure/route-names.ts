/**
 * Names of routes for frameworks that only know a path: whoever blocks is to be named, and whoever
 * asks for a million paths is not to fill the memory.
 */
import { enterRoute, enterRouteNumber, routeNumber, seesRoutes } from './native.js'

/** Paths whose names are known without looking at them. */
const MOST_PATHS = 1_000
const MOST_NAMES = 1_000
const MOST_SEGMENTS = 6
const LONGEST_SEGMENT = 32
const OTHER = '(other)'

/** Names what is entered by its method and path, in which what looks like a key is `*`. @internal */
export class RouteNames {
  readonly #numbers = new Map<string, Map<string, number>>()
  readonly #names = new Set<string>()
  #paths = 0

  /** Notes that a request is entered. Without a native thread it does nothing. */
  enter(method: string | undefined, path: string): void {
    if (!seesRoutes()) return
    const number = this.#numbers.get(method ?? '')?.get(path)
    if (number === undefined) this.#learn(method ?? '', path)
    else enterRouteNumber(number)
  }

  #learn(method: string, path: string): void {
    let name = method === '' ? patternOf(path) : `${method} ${patternOf(path)}`
    if (!this.#names.has(name)) {
      if (this.#names.size >= MOST_NAMES) name = OTHER
      this.#names.add(name)
    }
    if (path.length <= 256) {
      if (++this.#paths > MOST_PATHS) {
        this.#numbers.clear()
        this.#paths = 1
      }
      const paths = this.#numbers.get(method) ?? new Map<string, number>()
      this.#numbers.set(method, paths)
      paths.set(path, routeNumber(name))
    }
    enterRoute(name)
  }
}

/** `/users/4711/files/a.txt?x=1` as `/users/* /files/a.txt`, without the blank. */
function patternOf(path: string): string {
  const [plain = ''] = path.split('?', 1)
  const segments = plain.split('/', MOST_SEGMENTS + 2)
  const isLong = segments.length > MOST_SEGMENTS + 1
  const names = segments
    .slice(0, MOST_SEGMENTS + 1)
    .map(it => (/\d/.test(it) || it.length > LONGEST_SEGMENT ? '*' : it))
  return isLong ? `${names.join('/')}/...` : names.join('/')
}
