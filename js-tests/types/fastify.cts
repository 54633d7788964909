import Fastify = require('fastify')
import underPressure = require('seawall/fastify')

const delay: 'eventLoopDelay' = underPressure.TYPE_EVENT_LOOP_DELAY
const options: underPressure.FastifyUnderPressureOptions = { maxRssBytes: 1e9 }
const server = Fastify()
server.register(underPressure, options)
server.register(underPressure.fastifyUnderPressure, options)
server.register(underPressure.default, options)

export = { delay, is: (): boolean => server.isUnderPressure() }
