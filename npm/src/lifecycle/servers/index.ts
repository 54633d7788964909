export type { ServerTrackerOptions, TrackedServer } from './options.js'
export { ServerTracker } from './tracker.js'
export type { WebSocketLike, WebSocketServerLike } from './websocket.js'
