import type { Graph } from './compile.ts'
import type { NodeReport, RunEntry } from './entry.ts'
import type { Effect } from './node-expressions.ts'

/** The end of a node's effect, as it was told. */
export type NodeEnd = NodeReport & { readonly node: string; readonly outcome: 'Succeeded' | 'Failed' }

/** What holds at the moment of a decision, beside the run itself. */
export type RunKnowledge = {
  /** `Deleted`: what was begun is taken back and forgotten, the log too. A log of which that has begun is gone on with, whatever is desired. */
  readonly desired: 'Running' | 'Cancelled' | 'Deleted'
  /** Ends that have arrived and are not acknowledged. */
  readonly ended: readonly NodeEnd[]
  /** What a run without a log begins with; undefined: it must not begin (again). */
  readonly begin?: { readonly token: string; readonly graph: Graph } | undefined
}

export type RunStep =
  /** Compare-and-swap on `run.length`; `what` names it. */
  | { readonly kind: 'Append'; readonly what: AppendName; readonly entries: readonly RunEntry[] }
  /** Each by its id or name: what is there, or has ended, is left alone. */
  | { readonly kind: 'Place'; readonly nodes: readonly ({ readonly name: string } & Effect)[] }
  | { readonly kind: 'Remove' | 'Acknowledge'; readonly nodes: readonly string[] }
  /** Of the log itself. */
  | { readonly kind: 'Delete' }
  | { readonly kind: 'Wait'; readonly untilMs?: number | undefined }

/** By what an append begins with; what follows from that stands in the same one. `advance`: the rest of what was too much for one. */
export type AppendName = 'begin' | 'placed' | 'end' | 'refused' | 'stopped' | 'cancel' | 'timeout' | 'stop' | 'advance' | 'forget'
