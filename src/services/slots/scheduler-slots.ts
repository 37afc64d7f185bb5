import type { EndedSlot } from '../../broker/index.ts'
import { schedulerJobId } from '../../contract/index.ts'
import type { Slot } from '../../contract/index.ts'
import { isSchedulerGeneration, type Ledger, queueOfRun } from '../../scheduling/index.ts'
import type { SchedulerJobs } from '../primitives/index.ts'
import { createJobsOfQueues, outcomeOf, type QueueSlotsDeps } from './queue-slots.ts'
import { makeOfSlots, nothingAcknowledged, type ObservedRuns, type Placing, type SlotExecutor, type SlotRef } from './slot-executor.ts'

export type SchedulerSlotsDeps = QueueSlotsDeps & {
  /** Id of the job scheduler. */
  readonly scheduler: string
  /** The ledger as it was read last. */
  readonly ledgerOf: () => Ledger | undefined
  /** Shared with the primitive of this visit. */
  readonly jobs: SchedulerJobs
  /** On the broker's clock. */
  readonly nowMs: () => number
  readonly memory: SchedulerSlotsMemory
}

/** Of which runs the ends arrive in the done queue. Losing it costs a read. */
export type SchedulerSlotsMemory = { followedRuns?: ReadonlySet<Slot> | undefined }

/**
 * Runs of slots as jobs that a job scheduler of BullMQ has made, for one visit. Their ends arrive in the done queue like those of other jobs once
 * they are followed. The end of a job that ended before that is read from the job, which its template keeps for a day.
 */
export function createSchedulerSlots(deps: SchedulerSlotsDeps): SlotExecutor {
  const { scheduler } = deps
  const ofQueues = createJobsOfQueues(deps, {
    isFor: isSchedulerGeneration,
    queueOf: queueOfRun,
    idOf: (slot) => schedulerJobId(scheduler, slot * 1000),
    observe: (pending, begun, nowMs) => observe(deps, pending, begun, nowMs),
    starting: { kind: 'AfterIntent', make: (slots) => makeJobs(deps, slots), place: (slots) => place(deps, slots) },
  })
  // The executor of Taskmill's own jobs removes all ends of a ledger.
  return { ...ofQueues, forget: () => Promise.resolve(nothingAcknowledged) }
}

async function observe(
  { ledgerOf, jobs, memory }: SchedulerSlotsDeps,
  pending: readonly EndedSlot[],
  begun: readonly SlotRef[],
  nowMs: number,
): Promise<ObservedRuns> {
  const slots = new Set(begun.map(({ slot }) => slot))
  const cursor = ledgerOf()?.cursor ?? -Infinity
  // The end of a slot that is not decided yet waits until its run is recorded. What was removed before it was due never ran.
  const known = pending.filter(({ slot, outcome }) => slots.has(slot) || slot <= cursor || outcome === 'Removed')
  if (known.length < pending.length) jobs.forget()
  const ended = new Set(known.map(({ slot }) => slot))
  const followed = memory.followedRuns ?? new Set()
  const unknown = begun.filter(({ slot }) => !ended.has(slot) && !followed.has(slot))
  const { ends, followed: now } = await jobs.follow(unknown.map(({ slot, generation }) => ({ slot, queue: queueOfRun(generation) })))
  const left = [...slots].filter((slot) => followed.has(slot) || now.includes(slot))
  memory.followedRuns = left.length === 0 ? undefined : new Set(left)
  return { ends: [...known, ...ends].map((end) => outcomeOf(end, nowMs)) }
}

/** Under the names that the scheduler would have used: a job that it made in time is left alone. */
function makeJobs({ ledger, doneQueue, start, scheduler }: SchedulerSlotsDeps, slots: readonly SlotRef[]) {
  if (start?.kind !== 'Task') throw new TypeError('there is no task to place')
  return makeOfSlots('spec.task.payload', slots, ({ slot, generation }) => ({
    ...start.jobOf(ledger, doneQueue, slot),
    id: schedulerJobId(scheduler, slot * 1000),
    queue: queueOfRun(generation),
    dueAtMs: slot * 1000,
  }))
}

async function place(deps: SchedulerSlotsDeps, slots: readonly SlotRef[]): Promise<Placing> {
  const { broker, proof, nowMs } = deps
  const { made, refused } = makeJobs(deps, slots)
  const jobs = made.map(({ what }) => what)
  const outcome = await broker.placeJobs(jobs, nowMs(), proof)
  return { outcome: outcome === 'Placed' ? 'Done' : outcome, refused }
}
