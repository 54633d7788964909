/** From "please stop" to the end of the process. */

export {
  type ConnectingClient,
  type Connection,
  type ConnectionEvents,
  type ConnectionState,
  type Reconnecting,
  type ReconnectingOptions,
  reconnecting,
} from './reconnecting.js'
export * from './servers/index.js'
