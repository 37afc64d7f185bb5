/**
 * Runs of tasks, Jobs and graphs: what the engine observes of a run's log and of its nodes, and how each step is carried out; and the removal
 * of what nobody owns any more. Guarantees: every append is a compare-and-swap with a proof, every effect is idempotent by the node, and a
 * process that dies in between is continued by the next. This room makes no decisions; see `graph`.
 */
export { isContinued, type LogOwner, type LogVerdict } from './log-verdict.ts'
export { createNodeJobs, type JobDoing, type JobsDoing, type NodeJobs, type NodeJobsDeps } from './node-jobs.ts'
export { createRunKind, type RunDeps, type RunHappening, type RunLost, type RunMemory, type RunVisit } from './runs.ts'
