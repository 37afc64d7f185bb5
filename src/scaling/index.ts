/**
 * Decides how many replicas a pool should have: pure rules over what was read from its queues.
 *
 * Guarantees: the answer is between minReplicas and maxReplicas. It never falls because something could not be read. It
 * falls only if the demand was lower during the whole scale-down window. While jobs run, there are at least as many
 * slots as running jobs, as far as maxReplicas and the nodes allow. It is not 0 while there are orphaned jobs.
 * Does not: know Deployments, brokers or clocks. Everything comes in as a value.
 */
export { demandOf, type Demand, type LimitedQueue, type QueueLoad } from './demand.ts'
export { decideReplicas, emptyHistory } from './decide-replicas.ts'
export type { RecommendationHistory, ScalingDecision, ScalingInput, ScalingRules, Signal } from './decide-replicas.ts'
export { describeDecision, explainDecision } from './describe-decision.ts'
