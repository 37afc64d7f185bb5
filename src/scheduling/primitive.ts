/** What Kubernetes and BullMQ have for schedules, a CronJob and a job scheduler, as the rules see them: values only. */
import type { Slot } from '../contract/index.ts'

/** Who else than Taskmill can own the clock of a schedule. */
export type PrimitiveEngine = (typeof primitiveEngines)[number]
export const primitiveEngines = ['CronJob', 'BullMQ'] as const

/** Where the runs are that primitives start; used in place of a queue name in a generation. With BullMQ, a colon and the queue follow. */
export const primitivePlaces = { CronJob: '.cronjob', BullMQ: '.scheduler' } as const satisfies Record<PrimitiveEngine, string>

/** Where the runs of a schedule with that timing are. */
export function placeOfRuns({ engine, schedulerQueue }: { readonly engine: PrimitiveEngine; readonly schedulerQueue?: string }): string {
  return engine === 'BullMQ' ? `${primitivePlaces.BullMQ}:${schedulerQueue ?? ''}` : primitivePlaces[engine]
}

/** A run that a primitive has started. */
export type FollowedRun = {
  readonly slot: Slot
  /** Its place says what carries it out. */
  readonly generation: string
  readonly createdAtMs: number
}

/** What a primitive is, and what it has done, at one moment. */
export type Followed = {
  /**
   * - `Absent`: there is none.
   * - `Running`: it starts runs when their slots are due.
   * - `Stopping`: it was told to stop, and what it may have begun before is not known yet.
   * - `Stopped`: it starts nothing.
   * - `Withheld`: it may not be touched, because it belongs to somebody else, or because differences are to be reported only.
   */
  readonly state: 'Absent' | 'Running' | 'Stopping' | 'Stopped' | 'Withheld'
  /** It is as the plan wants it: of a suspended schedule, stopped. */
  readonly isInStep: boolean
  /** Runs that it has started, and whose ends are not acknowledged. */
  readonly runs: readonly FollowedRun[]
  /** Every slot up to this one that has no run will get none. What is `Stopping` settles no more than what runs. */
  readonly settledUntil: Slot
  /** Up to this slot, `runs` were read from the source itself and not from a cache. */
  readonly surveyedUntil: Slot
  /** Slots up to this one were not the schedule's: they have neither run nor are they missed. */
  readonly notOursUntil?: Slot | undefined
  /** When (Unix ms) another of these values is known without an event. */
  readonly againAtMs?: number | undefined
}
