/** Tells of a callback that threw; never throws. */
export function report(error: unknown, where: string): void {
  const text = `${where} threw: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`
  const { process } = globalThis
  if (typeof process?.emitWarning === 'function') process.emitWarning(text, 'SeawallWarning')
  else console.warn(text)
}
