export { ServerTracker, type ServerTrackerOptions, type TrackedServer } from './tracker.js'
export type { WebSocketLike, WebSocketServerLike } from './websocket.js'
