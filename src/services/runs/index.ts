/**
 * Runs of tasks, Jobs and graphs: what the engine observes of a run's log and of its nodes, and how each step is carried out.
 * Guarantees: every append is a compare-and-swap with a proof, every effect is idempotent by the node, and a
 * process that dies in between is continued by the next. This room makes no decisions; see `graph`.
 */
export { archiveRun } from './archive-run.ts'
export { isContinued, type LogOwner, type LogVerdict } from './log-verdict.ts'
export { createNodeJobs, type JobProgress, type JobsProgress, type NodeJobs, type NodeJobsDeps } from './node-jobs.ts'
export { createNodeRuns, type NodeRuns, starterOfRun } from './node-runs.ts'
export { type RunDeps, type RunMemory, type RunVisit } from './run-log.ts'
export { createRunKind, type RunHappening, type RunLost } from './runs.ts'
