/** What was still being done when somebody asked. */
export interface InFlight {
  /** Such as `GET /users/:id` or `WebSocket /live`. Without what follows a `?`. */
  what: string
  /** For how long, in ms. */
  ageMs: number
}

/** What a {@link Drainable} says of itself. */
export interface DrainReport {
  /** How many connections there are. */
  connections: number
  /** What is under way, the oldest first. */
  inFlight: InFlight[]
}

/** What can be brought to rest without losing what it has begun. */
export interface Drainable {
  /** What it is called in reports. */
  readonly name: string
  /** Still serves everybody, and tells one after the other to leave, all within `windowMs`. */
  beginDrain(windowMs: number): void
  /** Takes nobody new; resolves when nothing is in flight. */
  close(): Promise<void>
  /** Cuts whatever is left. */
  force(): void
  /** What is under way. */
  report(): DrainReport
}
