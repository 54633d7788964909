// How the scripts speak: headings, steps, durations, and one way to end on an error.
const coloured = process.stdout.isTTY && !process.env.NO_COLOR

const paint = code => text => (coloured ? `\u001b[${code}m${text}\u001b[0m` : text)
export const bold = paint(1)
export const red = paint(31)
export const green = paint(32)
export const yellow = paint(33)
const cyan = paint(36)

export function heading(text) {
  console.log(`\n${bold(`── ${text}`)}`)
}

export function step(text) {
  console.log(`${cyan('▸')} ${text}`)
}

export function note(text) {
  console.log(`  ${text}`)
}

export function loud(text) {
  console.log(yellow(`! ${text}`))
}

export function seconds(since) {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`
}

/** What went wrong and what to do, for a person; shown without a stack. */
export class Stop extends Error {}

/** Runs the main function of a script; a `Stop` is shown as its text alone. */
export async function main(act) {
  try {
    await act()
  } catch (error) {
    console.error(red(error instanceof Stop ? `\n✖ ${error.message}` : `\n✖ ${error?.stack}`))
    process.exitCode = 1
  }
}
