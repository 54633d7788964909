/**
 * What happens to one variant, as shares of its time: the same for both.
 * The load runs from 0 to 1; the service gets SIGTERM at 1, with requests in flight.
 */
export const timeline = [
  { at: 0.1, fault: 'kill', down: 0, text: 'SIGKILL to the database, restarted at once' },
  { at: 0.25, fault: 'failures', rate: 0.15, text: 'chaos: 15% of the database calls fail' },
  { at: 0.4, fault: 'failures', rate: 0, text: 'chaos: failures end' },
  {
    at: 0.45,
    fault: 'latency',
    ms: [20, 80],
    text: 'chaos: each database call takes 20-80 ms longer',
  },
  { at: 0.5, fault: 'kill', down: 0.12, text: 'SIGKILL to the database, kept down for a while' },
  { at: 0.58, fault: 'latency', ms: null, text: 'chaos: latency ends' },
  {
    at: 0.76,
    fault: 'pause',
    ms: 500,
    text: 'chaos: the event loop of the service stands still for 500 ms',
  },
  {
    at: 0.82,
    fault: 'exit',
    within: 0.04,
    text: 'chaos: the database process will exit at a random moment',
  },
  {
    at: 0.94,
    fault: 'latency',
    ms: [60, 160],
    text: 'chaos: each database call takes 60-160 ms longer',
  },
  { at: 1, fault: 'deploy', text: 'SIGTERM to the service, requests in flight' },
]

/** The timeline in words and seconds, for the terminal. */
export function describe(seconds) {
  return timeline.map(({ at, text }) => `${(at * seconds).toFixed(1).padStart(6)} s  ${text}`)
}
