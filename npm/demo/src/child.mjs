/**
 * The manners of a child process of the demo: it talks to its supervisor over IPC,
 * and it never outlives it, however the supervisor ended.
 */
export function send(message) {
  if (process.connected) process.send(message, () => {})
}

process.on('disconnect', () => process.exit(0))
