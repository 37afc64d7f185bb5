import type { RunEntry } from './entry.ts'
import type { Run } from './run.ts'
import type { AppendName } from './step.ts'
import { applyTo, type NodeState, type RunState } from './transitions.ts'

/** Entries that are being put together, and the run as it will be with them. The run itself stays as it is. */
export type Draft = RunState & {
  readonly entries: readonly RunEntry[]
  readonly what: AppendName | undefined
  /** No more fit into one append. */
  readonly isFull: boolean
  add(what: AppendName, entry: Exclude<RunEntry, { kind: 'Begun' }>): void
  /** About which can be decided; grows on the way. */
  readonly ready: Iterable<number>
}

const maxEntries = 500

export function draftOn(run: Run, state: RunState): Draft {
  const changed = new Map<number, NodeState>()
  const entries: RunEntry[] = []
  const added: number[] = []
  let what: AppendName | undefined
  const draft: Draft = {
    graph: state.graph,
    totals: state.totals,
    node: (index) => changed.get(index) ?? state.node(index),
    setNode: (index, node) => void changed.set(index, node),
    makeReady: (index) => void added.push(index),
    entries,
    get what() {
      return what
    },
    get isFull() {
      return entries.length >= maxEntries
    },
    add(name, entry) {
      what ??= name
      entries.push(entry)
      applyTo(draft, entry)
    },
    ready: {
      *[Symbol.iterator]() {
        yield* run.ready
        yield* added
      },
    },
  }
  return draft
}
