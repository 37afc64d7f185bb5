import type { Broker, DispatchProof, EndedJob, EndedSlot, PlacedRef, PlacedState } from '../../broker/index.ts'
import { type Slot, slotJobId } from '../../contract/index.ts'
import type { SlotStart } from '../../plans/index.ts'
import { dueOf, isQueueGeneration, queueOfGeneration, type RunOutcome } from '../../scheduling/index.ts'
import type { KillPointHook } from '../engine/index.ts'
import { findEnds } from '../tracking/index.ts'
import { makeOfSlots, nothingAcknowledged, type ObservedRuns, type SlotExecutor, type SlotRef, type Starting } from './slot-executor.ts'

/** How a job of a slot ended, wherever that was read. */
export type SlotEnd = Omit<EndedSlot, 'id' | 'doneQueue' | 'owner' | 'kind'>

export type QueueSlotsDeps = {
  readonly broker: Broker
  readonly proof: DispatchProof
  readonly ledger: string
  readonly doneQueue: string
  /** What a slot starts by the present template; undefined: nothing is placed any more. */
  readonly start: SlotStart | undefined
  /** Reads the pending completions of this ledger. */
  readonly pendingCompletions: () => readonly EndedJob[]
  /** Where its jobs were when they were looked for last, by their ids. */
  readonly whereabouts: () => ReadonlyMap<string, PlacedState>
  readonly reachPoint?: KillPointHook | undefined
}

/** Runs of slots as jobs of a queue at the ledger's broker, for one visit. All calls of one kind share a round trip; observing costs none. */
export function createQueueSlots(deps: QueueSlotsDeps): SlotExecutor {
  const { ledger, doneQueue, start } = deps
  return createJobsOfQueues(deps, {
    isFor: isQueueGeneration,
    queueOf: queueOfGeneration,
    idOf: (slot) => slotJobId(ledger, slot),
    observe: (pending, _begun, nowMs) => Promise.resolve({ ends: pending.map((job) => outcomeOf(job, nowMs)) }),
    starting: {
      kind: 'WithWrite',
      make(slots) {
        if (start?.kind !== 'Task') throw new TypeError('there is no task to place')
        return makeOfSlots('spec.task.payload', slots, (ref) => ({
          ...start.jobOf(ledger, doneQueue, ref.slot),
          dueAtMs: dueOf(ref) * 1000,
        }))
      },
    },
  })
}

/** What differs between the jobs that Taskmill adds to a queue and those that a job scheduler adds. */
export type JobsOfQueues = {
  readonly isFor: (generation: string) => boolean
  readonly queueOf: (generation: string) => string
  readonly idOf: (slot: Slot) => string
  /** `pending`: the completions of such jobs that are not acknowledged. */
  readonly observe: (pending: readonly EndedSlot[], begun: readonly SlotRef[], nowMs: number) => Promise<ObservedRuns>
  readonly starting: Starting
}

export function createJobsOfQueues(deps: QueueSlotsDeps, { isFor, queueOf, idOf, observe, starting }: JobsOfQueues): SlotExecutor {
  const { broker, proof, ledger, doneQueue, pendingCompletions, whereabouts, reachPoint = () => undefined } = deps
  /** The tracking may not know yet that these are gone. */
  const acknowledged = new Set<string>()
  const refOf = ({ slot, generation }: SlotRef): PlacedRef => ({ id: idOf(slot), doneQueue, queue: queueOf(generation) })

  function missingOf(begun: readonly SlotRef[]): readonly Slot[] {
    const found = begun.length === 0 ? undefined : whereabouts()
    return begun.flatMap(({ slot }) => (found?.get(idOf(slot))?.state === 'Absent' ? [slot] : []))
  }

  async function acknowledge(ids: readonly string[]) {
    const refs = ids.map((id) => ({ id, doneQueue }))
    if ((await broker.acknowledgeEnded(refs, proof)) === 'Fenced') return 'Fenced'
    for (const id of ids) acknowledged.add(id)
    return { ids }
  }

  return {
    isFor,
    async observe(begun, nowMs) {
      const pending = pendingCompletions().filter(({ id }) => !acknowledged.has(id))
      const own = pending.flatMap((job) => (job.kind === 'Slot' && job.id === idOf(job.slot) ? [job] : []))
      return { ...(await observe(own, begun, nowMs)), missing: missingOf(begun) }
    },
    starting,
    remove: (slots) => Promise.all(slots.map((ref) => broker.removePlaced(refOf(ref), proof))),
    cancel: (slots) =>
      Promise.all(
        slots.map(async (ref) => {
          const answer = await broker.cancelPlaced(refOf(ref), proof)
          return answer === 'Removed' ? 'Cancelled' : answer
        }),
      ),
    async look(slots) {
      const states = await broker.lookAtPlaced(slots.map(refOf))
      return states.map((job) => ({ ...job, isUntouched: job.state === 'Waiting' && job.startedAtMs === undefined }))
    },
    acknowledge: (slots) => acknowledge(slots.map(idOf)),
    async forget() {
      const ids: string[] = []
      for (;;) {
        const { wanted, truncated } = await findEnds(broker, doneQueue, ({ owner }) => owner === ledger)
        if (wanted.length > 0) {
          reachPoint('before acknowledge')
          const answer = await acknowledge(wanted.map(({ id }) => id))
          reachPoint('after acknowledge')
          if (answer === 'Fenced') return 'Fenced'
          ids.push(...answer.ids)
        }
        if (!truncated || wanted.length === 0) return ids.length === 0 ? nothingAcknowledged : { ids }
      }
    },
    subjects: (generation) => [{ subjectKind: 'Queue', subject: queueOf(generation) }],
  }
}

export function outcomeOf(job: SlotEnd, nowMs: number): RunOutcome {
  const { slot, outcome, message, result, attemptsMade, attempts, worker, startedAtMs, finishedAtMs } = job
  const reasons = { Succeeded: 'Succeeded', Failed: 'AttemptsExhausted', Removed: 'JobRemoved' } as const
  return {
    slot,
    succeeded: outcome === 'Succeeded',
    reason: reasons[outcome],
    ...(message === undefined ? {} : { message }),
    ...(result === undefined ? {} : { result }),
    ...(attemptsMade === undefined ? {} : { attemptsMade }),
    ...(attempts === undefined ? {} : { attempts }),
    ...(worker === undefined ? {} : { worker }),
    ...(startedAtMs === undefined ? {} : { startedAtMs }),
    finishedAtMs: finishedAtMs ?? nowMs,
  }
}
