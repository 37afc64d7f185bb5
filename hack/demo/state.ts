/** What the demo knows of the cluster at a moment; collected by `observe.ts`, drawn by `view.ts`, summed up by `summary.ts`. */
import type { WorkerPoolStatus } from '../../src/api/index.ts'

export type Tally = { readonly added: number; readonly done: number; readonly missing: number; readonly twice: number }

/** The lines that `examples/quickstart/burst.mjs` prints. */
export type BurstLine =
  { readonly burst: string; readonly added: number; readonly firstAddedAt: number } | (Tally & { readonly finished?: true })

export type PodView = { readonly name: string; readonly phase: string; readonly ready: boolean }

export type DemoState = {
  startedAtMs: number
  status: WorkerPoolStatus | undefined
  pods: readonly PodView[]
  /** Replicas as they were written, each with its moment. */
  replicas: { readonly atMs: number; readonly replicas: number }[]
  events: readonly { readonly atMs: number; readonly reason: string; readonly note: string }[]
  /** Moments (Unix ms) of the first job added, the first ScaledUp after it and the first ready pod after it. */
  firstAddedAtMs?: number
  firstScaleAtMs?: number
  firstReadyAtMs?: number
  tally: Tally
  finished: boolean
}

export function emptyState(startedAtMs: number): DemoState {
  return {
    startedAtMs,
    status: undefined,
    pods: [],
    replicas: [],
    events: [],
    tally: { added: 0, done: 0, missing: 0, twice: 0 },
    finished: false,
  }
}
