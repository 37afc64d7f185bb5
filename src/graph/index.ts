/**
 * Runs: what becomes of each node of a graph. Pure rules over a run's log, what was learned since, and the time. A run of a single task is a
 * graph of one node. `nextRunStep` says what to do; whoever asked does it, tells (`applyEntry` what was appended, `notePlaced`,
 * `noteRemoved`, `noteRefused`, `notePostponed`), and asks again, until the answer is to wait.
 *
 * Guarantees: a node is started at most once, when its edges and its `when` say so; the effect of a started node is repeated by whoever does
 * not know that it happened, and has happened once, whatever dies in between and however many believe that they lead
 * (`exploration.test.ts` tries all interleavings of small cases); the outcome is computed over all required nodes; a whole run costs
 * O(nodes + edges), a step what it changes, also with 10,000 nodes.
 * Assumes: entries are appended by compare-and-swap on the log's length with a proof that one dispatcher at a time can give; effects are
 * idempotent by the node's id and made under the same proof; an end is told until it is acknowledged.
 * Does not: read a clock, or know brokers and objects. All of it comes in as values.
 */
export { compileGraph, type CompiledGraph, type Graph, type GraphFault, type GraphFaultReason } from './compile.ts'
export type { Dependency, EdgeCondition, NodeOutcome, PlanNode, RunPlan } from './log.ts'
export type {
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
export { nextRunStep, type AppendName, type RunKnowledge, type RunStep } from './next-step.ts'
export { applyEntry, createRun, foldRun, notePlaced, notePostponed, noteRefused, noteRemoved } from './run.ts'
export type { FoldedRun, Postponement, Refusal, Removal, Run } from './run.ts'
export { viewNodes, viewRun, type NodeView, type RunView } from './view.ts'
