import { parseArgs } from 'node:util'

export const help = `Usage: npm start -- [options]

  --seconds N   length of the timeline of one variant, 4 to 600 (default 18)
  --rate N      requests per second, 1 to 500 (default 40)
  --port N      port of the order service on 127.0.0.1 (default: a free one)
  --once        exit after the table instead of serving on
  --plain       event lines instead of the live view
  --help        this text`

/** Reads the command line. Without a terminal, or in CI, the demo ends after the table. */
export function readOptions(args, { stdout, env }) {
  const { values } = parseArgs({
    args,
    options: {
      seconds: { type: 'string', default: '18' },
      rate: { type: 'string', default: '40' },
      port: { type: 'string', default: '0' },
      once: { type: 'boolean', default: false },
      plain: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  const interactive = Boolean(stdout.isTTY) && !env.CI
  return {
    seconds: number('seconds', values.seconds, 4, 600),
    rate: number('rate', values.rate, 1, 500),
    port: number('port', values.port, 0, 65535),
    once: values.once || !interactive,
    live: interactive && !values.plain && env.TERM !== 'dumb',
    colour: interactive && !env.NO_COLOR,
    help: values.help,
  }
}

function number(name, text, least, most) {
  const value = Number(text)
  if (text.trim() !== '' && value >= least && value <= most) return value
  throw new RangeError(`--${name} must be a number from ${least} to ${most}, not "${text}"`)
}
