/** Causes of failure as numbers, the same in every isolate that shares breakers. */
export interface CauseEngine {
  /** The number of a label; 0 once too many are known. */
  causeNumber(label: string): number
  /** The label of a number, or an empty string. */
  causeLabel(number: number): string
}
