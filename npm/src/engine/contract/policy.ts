/** How the parts of a policy fit together (`core/src/policy`). */
export interface PolicyEngine {
  /**
   * 0 if they do, -1 after a refusal.
   *
   * @param plan - `PlanNumbers` of the core, field by field, NaN for none
   */
  policyCheck(plan: Float64Array): number
}
