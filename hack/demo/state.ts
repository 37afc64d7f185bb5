/** What the demo knows of the cluster at a moment; collected by `observe.ts` and `follow.ts`, drawn by `view.ts`, summed up by `summary.ts`. */
import type { TaskScheduleSpec, TaskScheduleStatus, WorkerPoolStatus } from '../../src/api/index.ts'

export type Tally = { readonly added: number; readonly done: number; readonly missing: number; readonly twice: number }

/** The lines that `examples/quickstart/burst.mjs` prints. */
export type BurstLine =
  { readonly burst: string; readonly added: number; readonly firstAddedAt: number } | (Tally & { readonly finished?: true })

/** How many of each kind `examples/assistant/base/people.mjs` adds. */
export type PeopleCounts = { readonly plain: number; readonly priority: number; readonly delayed: number }
/** By schedule and slot (RFC 3339): how often it ran, and when it began first (Unix ms). */
export type SlotRuns = Readonly<Record<string, Readonly<Record<string, readonly [times: number, beganMs: number]>>>>

/** The lines that it prints: first for which time it looks on, then what the handlers wrote. */
export type PeopleLine =
  | { readonly from: number; readonly until: number; readonly counts: PeopleCounts }
  | { readonly jobs: PeopleTally; readonly slots: SlotRuns; readonly finished?: true }
/** `inOrder`: jobs with a priority that began after the one before them in that order. */
export type PeopleTally = Tally & { readonly inOrder: number }

export type PodView = { readonly name: string; readonly phase: string; readonly ready: boolean }
export type PoolView = { readonly name: string; readonly status: WorkerPoolStatus | undefined }
export type ScheduleView = {
  readonly name: string
  readonly spec: Pick<TaskScheduleSpec, 'schedules' | 'everySeconds'>
  readonly status: TaskScheduleStatus | undefined
}

export type AssistantState = {
  pools: readonly PoolView[]
  schedules: readonly ScheduleView[]
  /** Slots that are due after `fromMs` until `untilMs` are counted. */
  window?: { readonly fromMs: number; readonly untilMs: number; readonly counts: PeopleCounts }
  /** Missed runs that each schedule had when the window began. */
  missedBefore: Readonly<Record<string, number>>
  jobs: PeopleTally
  slots: SlotRuns
  finished: boolean
}

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
  readonly assistant: AssistantState
}

export function emptyState(startedAtMs: number): DemoState {
  const tally = { added: 0, done: 0, missing: 0, twice: 0 }
  return {
    startedAtMs,
    status: undefined,
    pods: [],
    replicas: [],
    events: [],
    tally,
    finished: false,
    assistant: { pools: [], schedules: [], missedBefore: {}, jobs: { ...tally, inOrder: 0 }, slots: {}, finished: false },
  }
}
