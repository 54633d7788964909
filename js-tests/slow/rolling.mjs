// A hundred processes replaced one after the other at 500 requests per second.
// `npm run soak:rolling`, or with another number of restarts: `npm run soak:rolling -- 10`.
import { rolling } from '../rolling/rolling.mjs'

const restarts = Number(process.argv[2] ?? 100)
const result = await rolling({ restarts, say: text => console.log(text) })
console.log(JSON.stringify(result, null, 2))
const badExits = result.exits.filter(code => code !== 0).length
const { codes } = result.webSockets
const badCodes = Object.keys(codes).filter(code => code !== '1001').length
const failed =
  result.lost.length +
  badExits +
  badCodes +
  result.eventStreams.cut +
  result.eventStreams.errors.length
console.log(
  `${result.restarts} restarts, ${result.requests} requests, ${result.lost.length} lost, ` +
    `${result.races.length} races of clients, longest end ${Math.round(result.longestMs)} ms`,
)
process.exit(failed > 0 ? 1 : 0)
