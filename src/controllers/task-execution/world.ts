import type { TaskExecution, TaskExecutionStatus } from '../../api/index.ts'
import type { Run } from '../../graph/index.ts'

/** What can be done about a run now. */
export type Situation =
  /** It can never begin: its graph or template has a fault; or its log was lost. */
  | { readonly kind: 'Hopeless'; readonly message: string }
  | { readonly kind: 'NoSource'; readonly message: string }
  | { readonly kind: 'NoBroker' }
  /** A Secret of the TaskBroker is missing or wrong. */
  | { readonly kind: 'NotUsable'; readonly message: string }
  /** Nobody has said yet whose turn it is. */
  | { readonly kind: 'Undecided' }
  | { readonly kind: 'Standby'; readonly heldBy: string | undefined }
  | { readonly kind: 'Unreachable'; readonly message: string }
  | { readonly kind: 'Unreadable'; readonly message: string }
  | { readonly kind: 'Driven' }

/** Where the effect of a node is that has begun and not ended: few words for a column, more for the table of nodes. */
export type Whereabout = {
  readonly words: string
  readonly detail: string
  /** Somebody has to do something, or the node does not get on: said in the condition too. */
  readonly isStuck?: boolean
}

/** Everything that the status of a run says, gathered before it is said. */
export type World = {
  readonly execution: TaskExecution
  /** The status that was written last. */
  readonly status: TaskExecutionStatus | undefined
  readonly situation: Situation
  readonly broker: string
  /** The TaskDependency whose graph it runs. */
  readonly dependency: string | undefined
  /** As it was read last; undefined: nothing was read. */
  readonly run: Run | undefined
  /** An object that had the name before had begun it. */
  readonly isContinued: boolean
  /** By node, as far as anybody has looked. */
  readonly whereabouts: ReadonlyMap<string, Whereabout>
  /** The name of a node's Kubernetes Job. */
  readonly jobOf: (node: string) => string | undefined
  /** On the broker's clock. */
  readonly nowMs: number
}
