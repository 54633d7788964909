/** Why the last constructor call of this isolate answered -1. */
export interface OptionProblem {
  /** The option, in the spelling of the options. */
  problemField(): string
  /** The number of the rule it broke (`core/src/options.rs`, `Rule`). */
  problemRule(): number
  /** The number the rule speaks of. */
  problemLimit(): number
  /** The other option the rule speaks of, or an empty string. */
  problemOther(): string
}
