/** What the demo knows of the cluster at a moment; collected by `observe.ts` and `follow.ts`, drawn by `view.ts`, summed up by `summary.ts`. */
import type { TaskAlertStatus, TaskExecutionStatus, TaskScheduleSpec, TaskScheduleStatus, WorkerPoolStatus } from '../../src/api/index.ts'

export type Tally = { readonly added: number; readonly done: number; readonly missing: number; readonly twice: number }

/** The lines that `examples/quickstart/burst.mjs` prints. */
export type BurstLine =
  { readonly burst: string; readonly added: number; readonly firstAddedAt: number } | (Tally & { readonly finished?: true })

/** How many of each kind `examples/assistant/base/people.mjs` adds. */
export type PeopleCounts = { readonly plain: number; readonly priority: number; readonly delayed: number }
/** By schedule and slot (RFC 3339): how often it ran, and when it began first (Unix ms). */
export type SlotRuns = Readonly<Record<string, Readonly<Record<string, readonly [times: number, beganMs: number]>>>>

/** By run of the graph: when its first step began (Unix ms), and how often each step was begun. */
export type GraphBook = Readonly<Record<string, { readonly beganMs: number; readonly steps: Readonly<Record<string, number>> }>>

/** The lines that it prints: first for which time it looks on, then what the handlers wrote. */
export type PeopleLine =
  | { readonly from: number; readonly until: number; readonly counts: PeopleCounts }
  | { readonly jobs: PeopleTally; readonly slots: SlotRuns; readonly graphs: GraphBook; readonly finished?: true }
/** `inOrder`: jobs with a priority that began after the one before them in that order. */
export type PeopleTally = Tally & { readonly inOrder: number }

export type PodView = { readonly name: string; readonly phase: string; readonly ready: boolean }
export type PoolView = { readonly name: string; readonly status: WorkerPoolStatus | undefined }
export type ScheduleView = {
  /** Of another example than the assistant with its namespace: `reports/check-health`. */
  readonly name: string
  readonly spec: Pick<TaskScheduleSpec, 'schedules' | 'everySeconds' | 'offsetSeconds'> &
    Partial<Pick<TaskScheduleSpec, 'engine'>> & {
      readonly dependencyRef?: { readonly name: string }
    }
  readonly status: TaskScheduleStatus | undefined
}

/** A run of the graph. `slot`: the one of the schedule that began it, when one did. */
export type RunView = {
  readonly name: string
  readonly schedule?: string | undefined
  readonly slot?: string | undefined
  readonly status: TaskExecutionStatus | undefined
}
export type AlertView = { readonly name: string; readonly severity: string; readonly status: TaskAlertStatus | undefined }
/** What a run has to come to: its outcome, and how often each step of it begins. */
export type ExpectedRun = { readonly outcome: string; readonly steps: Readonly<Record<string, number>> }

/** Examples beside the assistant, by their namespaces: only the slots of their schedules are counted. */
export const otherExamples = ['public-data', 'reports'] as const
export type OtherExample = (typeof otherExamples)[number]

export type AssistantState = {
  pools: readonly PoolView[]
  schedules: readonly ScheduleView[]
  /** Those of the other examples: their handlers write into the same book. */
  others: Readonly<Record<OtherExample, readonly ScheduleView[]>>
  /** Slots that are due after `fromMs` until `untilMs` are counted. */
  window?: { readonly fromMs: number; readonly untilMs: number; readonly counts: PeopleCounts }
  /** Missed runs that each schedule had when the window began. */
  missedBefore: Readonly<Record<string, number>>
  jobs: PeopleTally
  slots: SlotRuns
  runs: readonly RunView[]
  /** Of the runs that the demo itself began, by name. */
  expected: Readonly<Record<string, ExpectedRun>>
  /** What the handlers of the nodes wrote. */
  graphs: GraphBook
  alerts: readonly AlertView[]
  /** When it was first seen (Unix ms): a run with an outcome, by its name; an alert in a state, by `name state`. */
  firstSeenMs: Readonly<Record<string, number>>
  /** What the log channel wrote for the demo's alert: `firing`, `resolved`. */
  told: readonly string[]
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
    assistant: {
      pools: [],
      schedules: [],
      others: { 'public-data': [], reports: [] },
      missedBefore: {},
      jobs: { ...tally, inOrder: 0 },
      slots: {},
      runs: [],
      expected: {},
      graphs: {},
      alerts: [],
      firstSeenMs: {},
      told: [],
      finished: false,
    },
  }
}
