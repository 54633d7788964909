/**
 * The balancers by name, as functions over candidates. Given as the option `loadBalancer` they are
 * not called for each connection: the native front knows the strategy behind each.
 */
import { processEngine } from '../engine/process/index.js'
import { seedOr } from '../seed.js'
import type {
  BackendCandidate,
  LoadBalancerContext,
  LoadBalancerFunction,
  SocketLoadBalancerContext,
} from './types.js'

/** What each part of a load weighs. */
export interface ResourceAwareLoadBalancerWeights {
  /** One connection. Default 10. */
  connectionWeight?: number | undefined
  /** One percent of one processor. Default 2. */
  cpuWeight?: number | undefined
  /** The whole heap. Default 100. */
  heapWeight?: number | undefined
}

/** The balancers of this package by the names that are options as well. */
export type LoadBalancerName =
  | 'roundRobin'
  | 'leastConnections'
  | 'resourceAware'
  | 'peakEwma'
  | 'twoChoices'

/** The strategies of the core by number, and what the front is told with them. */
export interface NativeStrategy {
  strategy: number
  weights?: readonly [number, number, number] | undefined
}

const PEAK_EWMA = 3
const TWO_CHOICES = 4

const STRATEGIES = new WeakMap<LoadBalancerFunction, NativeStrategy>()

/** The strategy behind a balancer of this module; nothing for a function of the user's. @internal */
export function nativeStrategy(balancer: LoadBalancerFunction): NativeStrategy | undefined {
  return STRATEGIES.get(balancer)
}

/** Whether workers are to measure how long their answers take. @internal */
export function isTimed(balancer: LoadBalancerFunction): boolean {
  return nativeStrategy(balancer)?.strategy === PEAK_EWMA
}

/** One candidate after the other. */
export function roundRobinLoadBalancer(context: LoadBalancerContext): BackendCandidate {
  const { candidates, previousIndex } = context
  return chosen(context, processEngine().balanceTurn(previousIndex, candidates.length))
}
STRATEGIES.set(roundRobinLoadBalancer, { strategy: 0 })

/** The candidate with the fewest connections, the first of equals. */
export function leastConnectionsLoadBalancer(context: LoadBalancerContext): BackendCandidate {
  return chosen(context, processEngine().balanceLightest(loads(context), 1, 0, 0))
}
STRATEGIES.set(leastConnectionsLoadBalancer, { strategy: 1 })

/**
 * A balancer that takes the candidate with the smallest weighted sum of connections, processor and
 * heap. A candidate that has not told of itself yet counts as idle.
 *
 * @example
 * ```ts
 * import { createResourceAwareLoadBalancer } from 'seawall/express'
 *
 * const byProcessor = createResourceAwareLoadBalancer({ connectionWeight: 0, cpuWeight: 1 })
 * console.log(typeof byProcessor)
 * ```
 */
export function createResourceAwareLoadBalancer(
  weights: ResourceAwareLoadBalancerWeights = {},
): LoadBalancerFunction {
  const { connectionWeight = 10, cpuWeight = 2, heapWeight = 100 } = weights
  const balancer = (context: LoadBalancerContext): BackendCandidate =>
    chosen(
      context,
      processEngine().balanceLightest(loads(context), connectionWeight, cpuWeight, heapWeight),
    )
  STRATEGIES.set(balancer, { strategy: 2, weights: [connectionWeight, cpuWeight, heapWeight] })
  return balancer
}

/** {@link createResourceAwareLoadBalancer} with its defaults. */
export const resourceAwareLoadBalancer: LoadBalancerFunction =
  /* @__PURE__ */
  createResourceAwareLoadBalancer()

/**
 * The candidate with the smallest product of requests under way and of the time its answers take,
 * where one slow answer counts at once and is forgotten slowly (`latencyDecayMs`). For applications
 * some of whose requests are far dearer than others.
 */
export function peakEwmaLoadBalancer(context: LoadBalancerContext): BackendCandidate {
  return plain(context, PEAK_EWMA)
}
STRATEGIES.set(peakEwmaLoadBalancer, { strategy: PEAK_EWMA })

/** The one of two candidates drawn at random that has fewer requests under way. */
export function twoChoicesLoadBalancer(context: LoadBalancerContext): BackendCandidate {
  return plain(context, TWO_CHOICES)
}
STRATEGIES.set(twoChoicesLoadBalancer, { strategy: TWO_CHOICES })

/** What is used where none is given: {@link roundRobinLoadBalancer}. */
export const defaultLoadBalancer: LoadBalancerFunction = roundRobinLoadBalancer

/** The balancer of that name. @internal */
export function balancerNamed(name: LoadBalancerName): LoadBalancerFunction {
  const balancers: Record<LoadBalancerName, LoadBalancerFunction> = {
    roundRobin: roundRobinLoadBalancer,
    leastConnections: leastConnectionsLoadBalancer,
    resourceAware: resourceAwareLoadBalancer,
    peakEwma: peakEwmaLoadBalancer,
    twoChoices: twoChoicesLoadBalancer,
  }
  return balancers[name]
}

const WITH_SOCKET = new WeakSet<LoadBalancerFunction>()

/**
 * A balancer function that gets the client's socket itself, a `Socket` of `node:net`, in place of its
 * addresses. It takes the mode `proxy`, which is the default then, on Unix.
 *
 * What it costs: for each connection a socket in the primary's JavaScript and one more descriptor, from
 * the first bytes until the function has answered. That takes its processor about as long again as asking
 * a function at all, some 50 microseconds each. The socket is destroyed in this process when the function has answered, which the
 * client does not notice; nothing that is kept of it is of use after that. A function that destroys it, or
 * ends it after some words of its own, closes the connection.
 *
 * @example
 * ```ts
 * import { createServer } from 'node:http'
 * import { startServer, withSocket } from 'seawall/express'
 *
 * export async function main(): Promise<void> {
 *   const app = createServer((_, response) => response.end('hello'))
 *   const loadBalancer = withSocket(({ candidates, socket, previousIndex }) => {
 *     if (socket.localAddress === '10.0.0.1') return candidates[0]!
 *     return candidates[previousIndex % candidates.length]!
 *   })
 *   await startServer(app, { loadBalancer })
 * }
 * ```
 */
export function withSocket(
  choose: (context: SocketLoadBalancerContext) => BackendCandidate | Promise<BackendCandidate>,
): LoadBalancerFunction {
  const balancer = (context: LoadBalancerContext): BackendCandidate | Promise<BackendCandidate> =>
    choose(context as SocketLoadBalancerContext)
  WITH_SOCKET.add(balancer)
  return balancer
}

/** Whether it is to get sockets. @internal */
export function wantsSocket(balancer: LoadBalancerFunction): boolean {
  return WITH_SOCKET.has(balancer)
}

/** What `balancer` chooses, or the default one; never a throw, always a promise. */
export async function pickBackend(
  context: LoadBalancerContext,
  balancer: LoadBalancerFunction = defaultLoadBalancer,
): Promise<BackendCandidate> {
  return await balancer(context)
}

function plain(context: LoadBalancerContext, strategy: number): BackendCandidate {
  const numbers = context.candidates.flatMap(({ activeProxyConnections, inFlight, latencyMs }) => [
    inFlight ?? activeProxyConnections,
    latencyMs ?? 0,
  ])
  const seed = seedOr(undefined)
  return chosen(context, processEngine().balancePlain(strategy, Float64Array.from(numbers), seed))
}

function loads({ candidates }: LoadBalancerContext): Float64Array {
  return Float64Array.from(
    candidates.flatMap(({ activeProxyConnections, stats }) => [
      activeProxyConnections,
      stats?.cpuPercent ?? 0,
      stats?.heapUsedBytes ?? 0,
      stats?.heapTotalBytes ?? 0,
    ]),
  )
}

function chosen({ candidates }: LoadBalancerContext, index: number): BackendCandidate {
  const candidate = candidates[index]
  if (!candidate) {
    throw new Error('defuss-express: no healthy backend candidates are available')
  }
  return candidate
}
