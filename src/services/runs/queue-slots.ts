import type { Broker, DispatchProof, EndedJob, EndedSlot, PlacedJob, PlacedRef } from '../../broker/index.ts'
import { type Slot, slotJobId } from '../../contract/index.ts'
import { isQueueGeneration, queueOfGeneration, type RunOutcome } from '../../scheduling/index.ts'
import { findEnds } from '../tracking/index.ts'
import type { SlotExecutor, SlotRef } from './slot-executor.ts'

export type QueueSlotsDeps = {
  readonly broker: Broker
  readonly proof: DispatchProof
  readonly ledger: string
  readonly doneQueue: string
  /** From the present template. */
  readonly jobOf: (slot: Slot) => PlacedJob
  /** What has arrived for this ledger and is not acknowledged. */
  readonly ended: () => readonly EndedJob[]
  /** The done jobs of these ids were removed. */
  readonly onAcknowledged: (ids: readonly string[]) => void
  /** The broker's clock. */
  readonly now: () => number
  readonly at?: ((point: string) => void) | undefined
}

/** Runs of slots as jobs of a queue. All calls of one kind share a round trip. */
export function createQueueSlots(deps: QueueSlotsDeps): SlotExecutor {
  const { broker, proof, ledger, doneQueue, jobOf, ended, onAcknowledged, now, at = () => undefined } = deps
  const refOf = ({ slot, generation }: SlotRef): PlacedRef => ({
    id: slotJobId(ledger, slot),
    doneQueue,
    queue: queueOfGeneration(generation),
  })
  return {
    runs: isQueueGeneration,
    async place(slots) {
      const outcome = await broker.placeJobs(
        slots.map(({ slot }) => jobOf(slot)),
        now(),
        proof,
      )
      return outcome === 'Fenced' ? 'Fenced' : 'Done'
    },
    remove: (slots) => Promise.all(slots.map((ref) => broker.removePlaced(refOf(ref), proof))),
    look: (slots) => broker.lookAtPlaced(slots.map(refOf)),
    ended: (nowMs) => ended().flatMap((job) => (job.kind === 'Slot' ? [outcomeOf(job, nowMs)] : [])),
    async acknowledge(slots) {
      const ids = slots.map((slot) => slotJobId(ledger, slot))
      const refs = ids.map((id) => ({ id, doneQueue }))
      const outcome = await broker.acknowledgeEnded(refs, proof)
      if (outcome === 'Done') onAcknowledged(ids)
      return outcome
    },
    async forget() {
      for (;;) {
        const { wanted: ours, truncated } = await findEnds(broker, doneQueue, ({ owner }) => owner === ledger)
        if (ours.length > 0) {
          at('before acknowledge')
          await broker.acknowledgeEnded(ours)
          at('after acknowledge')
          onAcknowledged(ours.map(({ id }) => id))
        }
        if (!truncated || ours.length === 0) return
      }
    },
    subjects: (generation) => [{ subjectKind: 'Queue', subject: queueOfGeneration(generation) }],
  }
}

function outcomeOf(job: EndedSlot, nowMs: number): RunOutcome {
  const { slot, outcome, message, attemptsMade, attempts, worker, startedAtMs, finishedAtMs } = job
  const reasons = { Succeeded: 'Succeeded', Failed: 'AttemptsExhausted', Removed: 'JobRemoved' } as const
  return {
    slot,
    succeeded: outcome === 'Succeeded',
    reason: reasons[outcome],
    ...(message === undefined ? {} : { message }),
    ...(attemptsMade === undefined ? {} : { attemptsMade }),
    ...(attempts === undefined ? {} : { attempts }),
    ...(worker === undefined ? {} : { worker }),
    ...(startedAtMs === undefined ? {} : { startedAtMs }),
    finishedAtMs: finishedAtMs ?? nowMs,
  }
}
