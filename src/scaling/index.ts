/**
 * How many replicas a pool should have: pure rules over what was read from its queues.
 *
 * Guarantees: the answer is within minReplicas and maxReplicas; it never falls because something could not be read; it falls only
 * after the demand was lower during the whole scale-down window; while jobs run there are at least as many slots as running jobs, as far
 * as maxReplicas and the nodes allow; it is not 0 while jobs are active without a worker.
 * It does not know Deployments, brokers or clocks: all of it comes in as values.
 */
export { demandOf, type Demand, type LimitedQueue, type QueueLoad } from './demand.ts'
export { decideReplicas, emptyHistory } from './decide-replicas.ts'
export type { RecommendationHistory, ScalingDecision, ScalingInput, ScalingRules, Signal } from './decide-replicas.ts'
export { describeDecision, explainDecision } from './describe-decision.ts'
