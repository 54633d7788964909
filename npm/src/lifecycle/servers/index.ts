export type { Drainable, DrainReport, InFlight } from './drainable.js'
export { ServerTracker, type ServerTrackerOptions, type TrackedServer } from './tracker.js'
export type { WebSocketLike, WebSocketServerLike } from './websocket.js'
