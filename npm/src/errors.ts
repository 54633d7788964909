import type { Engine } from './engine/types.js'

/** An option that was refused. */
export class OptionError extends TypeError {
  readonly code = 'SEAWALL_INVALID_OPTION'
  readonly option: string
  constructor(message: string, option: string) {
    super(message)
    this.name = 'OptionError'
    this.option = option
  }
}

/** The engine's last refusal in words. */
export function optionProblem(where: string, _options: object, engine: Engine): OptionError {
  const field = engine.problemField()
  return new OptionError(
    `${where}: \`${field}\` broke rule ${engine.problemRule()} (${engine.problemLimit()}${engine.problemOther()})`,
    field,
  )
}
