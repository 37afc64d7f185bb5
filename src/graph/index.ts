/**
 * Runs: decides what happens to each node of a graph. The rules are pure: they get the log of the run, what this
 * process has learned since, and the time. A run of a single task is a graph of one node. `nextRunStep` returns one
 * step. The caller carries it out, reports the result (`applyEntry` for appended entries, `notePlaced`, `noteRemoved`,
 * `noteRefused`, `notePostponed`), and asks again, until the answer is to wait.
 *
 * Guarantees: a node starts at most once, when its edges and its `when` hold. If a process does not know whether the
 * effect of a started node has happened, it repeats the effect; the effect still happens once, whichever process dies
 * and however many processes believe that they lead (`exploration.test.ts` tries all interleavings of small cases). The
 * outcome is computed over all required nodes. A whole run costs O(nodes + edges) and a step only what it changes, also
 * with 10,000 nodes.
 * Assumes: entries are appended by compare-and-swap on the log's length, under a fence that admits one dispatcher at a
 * time. Effects are idempotent by the node's id and made under the same fence. An end is delivered until it is
 * acknowledged.
 * Does not: read a clock, or know brokers and objects. Everything comes in as a value.
 */
export { compileGraph, type CompiledGraph, type Graph, type GraphFault, type GraphFaultReason } from './compile.ts'
export {
  executorOf,
  type Dependency,
  type EdgeCondition,
  type ExecutorName,
  type NodeOutcome,
  type PlanNode,
  type RunPlan,
  type RunTemplate,
} from './log.ts'
export type {
  Archived,
  Begun,
  Ended,
  Finished,
  NodeEnd,
  NodeReport,
  Placed,
  RunEntry,
  RunOutcome,
  RunStopped,
  Started,
  StopReason,
  Stopping,
} from './log.ts'
export { compileJobTemplate, type Effect } from './node-expressions.ts'
export { nextRunStep, type AppendName, type RunBeginning, type RunKnowledge, type RunStep } from './next-step.ts'
export { archiveOf, isArchivable } from './entries.ts'
export { applyEntry, createRun, foldRun, notePlaced, notePostponed, noteRefused, noteRemoved, tokenOfRun } from './run.ts'
export type { FoldedRun, Postponement, Refusal, Removal, Run } from './run.ts'
export { viewNodes, viewRun, type NodeView, type RunView } from './view.ts'
