/** The numbers of `core/src/health` and `core/src/door/health.rs` in words. */

/** What is asked of a service: may it go on, may it be sent work, has it come up. */
export type HealthKind = 'liveness' | 'readiness' | 'startup'

/** Why an answer is what it is; see {@link HealthVerdict}. */
export type HealthReason =
  | 'passing'
  | 'unrecoverable'
  | 'draining'
  | 'starting'
  | 'pending'
  | 'failing'
  | 'hanging'
  | 'stale'
  | 'blocked'
  | 'pressure'

export const KINDS: readonly HealthKind[] = ['liveness', 'readiness', 'startup']

const REASONS: readonly HealthReason[] = [
  'passing',
  'unrecoverable',
  'draining',
  'starting',
  'pending',
  'failing',
  'hanging',
  'stale',
  'blocked',
  'pressure',
]

/** The reason of that number. */
export function reasonOf(number: number | undefined): HealthReason {
  return REASONS[number ?? 0] ?? 'failing'
}

/** What a set of checks is told of. */
export const REMOVE = 0
export const DUE = 1
export const TAKE = 2
export const BEGIN = 3
export const BEGIN_IF_OLD = 4
export const EXPIRE = 5
export const FAIL = 6
export const PASS = 7
export const READY = 8
export const DRAIN = 9
export const RECOVER = 10
export const UNRECOVERABLE = 11
export const BEGIN_IF_DUE = 12
