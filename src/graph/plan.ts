/** What a run is made of. It is pinned in the first entry of the run's log. */
import type { JobTemplate, TaskTemplate } from '../api/index.ts'

/**
 * What an edge asks of the upstream node. `Failed` holds for `Failed` and `TimedOut`; `Completed` as soon as it is final, however: also
 * `Skipped`, `Omitted`, `Cancelled`.
 */
export type EdgeCondition = 'Succeeded' | 'Failed' | 'Completed'

/** `Skipped`: its `when` was false. `Omitted`: an edge's condition can no longer hold, or the run stopped before it. */
export type NodeOutcome = 'Succeeded' | 'Failed' | 'TimedOut' | 'Cancelled' | 'Skipped' | 'Omitted'

export type Dependency = { readonly name: string; readonly condition: EdgeCondition }

/** A node; it carries exactly one of `task` and `job`. */
export type PlanNode = {
  readonly name: string
  readonly dependsOn: readonly Dependency[]
  /** CEL that yields true or false, asked when the edges hold. */
  readonly when?: string | undefined
  /** From its start to a final state, retries included. */
  readonly timeoutSeconds?: number | undefined
  /** Whether its failure is one of the run. */
  readonly required: boolean
  readonly task?: TaskTemplate | undefined
  readonly job?: JobTemplate | undefined
}

export type RunPlan = {
  /** What expressions know as `run.name`. */
  readonly name: string
  readonly nodes: readonly PlanNode[]
  /** They depend on nothing, and start together when every node is final. */
  readonly finally: readonly PlanNode[]
  /**
   * `Stop`: once a required node has failed, nothing starts any more but what reacts to a failure, and what follows that. `Continue`: whatever
   * does not depend on the failed node goes on.
   */
  readonly onNodeFailure: 'Stop' | 'Continue'
  /** From the begin to the end of the last node; `finally` comes after it. */
  readonly timeoutSeconds?: number | undefined
  readonly parameters: Readonly<Record<string, unknown>>
  /** The slot that the run is of, in RFC 3339. */
  readonly slot?: string | undefined
}
