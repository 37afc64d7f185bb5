/** Removes what one owner left in a broker: the same visits as of objects that are there, with the deletion as the wish. */
import type { Broker, DispatchProof } from '../../broker/index.ts'
import { doneQueue, type OwnerMarker, schedulerJobId, type Slot, slotJobId } from '../../contract/index.ts'
import { hasCode } from '../../errors/index.ts'
import { isQueueGeneration, isSchedulerGeneration } from '../../scheduling/index.ts'
import { removeRecord, type VisitResult } from '../engine/index.ts'
import type { Jobs } from '../jobs/index.ts'
import { createSettingsKind } from '../queue-settings/index.ts'
import { createNodeJobs, createRunKind, type RunDeps, type RunMemory } from '../runs/index.ts'
import { createJobScheduler, createSchedulerJobs } from '../primitives/index.ts'
import {
  createQueueSlots,
  createSchedulerSlots,
  createSlotKind,
  deletionPlan,
  emptySlotMemory,
  nothingAcknowledged,
  type SlotExecutor,
} from '../slots/index.ts'

/** The kinds of objects that leave records. */
export type OwnedKind = Exclude<OwnerMarker['kind'], 'Namespace'>

export type RemovalDeps = RunDeps & {
  readonly jobs: Jobs
  readonly installation: string
  /** Whether the cache has the object. */
  readonly exists: (kind: OwnedKind, namespace: string, name: string) => boolean
}

/** Data of an owner that is gone, where it is, and the proof to remove it with. */
export type Orphan = {
  readonly broker: Broker
  readonly proof: DispatchProof
  /** Its name in the broker: of a ledger, a run, or the owner of a queue's settings. */
  readonly owner: string
  readonly marker: OwnerMarker & { readonly kind: OwnedKind }
  readonly signal: AbortSignal
}

/**
 * `isComplete`: it need not be tried again. `isRemoved`: the record is gone; otherwise it stays, for its object or for a later try.
 * `stillRunning`: jobs that had started and continue; the sweep has to remove their ends when they come.
 */
export type RemovedOrphan = { readonly isComplete: boolean; readonly isRemoved: boolean; readonly stillRunning: readonly string[] }

/** An object that comes back meanwhile keeps its record: this is asked before each step. */
export function removeOrphan(deps: RemovalDeps, orphan: Orphan): Promise<RemovedOrphan> {
  return { TaskSchedule: removeLedger, TaskExecution: removeRun, TaskQueue: removeSettings }[orphan.marker.kind](deps, orphan)
}

async function removeLedger(deps: RemovalDeps, orphan: Orphan): Promise<RemovedOrphan> {
  const { broker, proof, marker, owner: ledger } = orphan
  const memory = emptySlotMemory()
  const plan = deletionPlan('Delete', proof.epoch)
  const own = {
    broker,
    proof,
    ledger,
    doneQueue: doneQueue(deps.installation, marker.namespace),
    scheduler: marker.name,
    start: undefined,
    pendingCompletions: () => [],
    whereabouts: () => new Map(),
    ledgerOf: () => memory.record?.ledger,
    nowMs: () => deps.brokerClock.now(broker),
    memory: {},
  }
  const jobs = createSchedulerJobs({ ...own, spec: undefined })
  const started = new Set<string>()
  const executors = [
    noting(started, createQueueSlots(own), (slot) => slotJobId(ledger, slot)),
    noting(started, createSchedulerSlots({ ...own, jobs }), (slot) => schedulerJobId(marker.name, slot * 1000)),
    goneWithSchedule,
  ]
  const primitives = [createJobScheduler({ ...own, jobs, plan, driftPolicy: 'Repair', adopt: undefined })]
  const isWanted = () => isStillGone(deps, marker)
  const kind = createSlotKind(deps, { ...orphan, ledger, plan, memory, executors, primitives, isWanted })
  const { result, happened } = await removeRecord(kind, memory, orphan)
  const acknowledged = new Set(happened.flatMap((each) => (each.kind === 'Acknowledged' ? each.ids : [])))
  // What had ended is gone with the ledger.
  return removed(
    deps,
    orphan,
    result,
    [...started].filter((id) => !acknowledged.has(id)),
  )
}

/** Notes the jobs that had started when they were to be taken back. */
function noting(started: Set<string>, executor: SlotExecutor, idOf: (slot: Slot) => string): SlotExecutor {
  return {
    ...executor,
    async remove(slots) {
      const answers = await executor.remove(slots)
      for (const [index, { slot }] of slots.entries()) if (answers[index] === 'Started') started.add(idOf(slot))
      return answers
    },
  }
}

async function removeRun(deps: RemovalDeps, orphan: Orphan): Promise<RemovedOrphan> {
  const { broker, proof, marker, owner: run, signal } = orphan
  const memory: RunMemory = { record: undefined }
  const kind = createRunKind(deps, {
    broker,
    proof,
    marker,
    signal,
    run,
    doneQueue: doneQueue(deps.installation, marker.namespace),
    memory,
    desired: 'Deleted',
    pendingCompletions: () => [],
    jobs: createNodeJobs({ jobs: deps.jobs, run, namespace: marker.namespace, execution: marker.name }),
    subjects: [],
    isWanted: () => isStillGone(deps, marker),
  })
  const { result, happened } = await removeRecord(kind, memory, orphan)
  const running = new Set<string>()
  for (const each of happened) {
    if (each.kind === 'StillRunning') for (const id of each.ids) running.add(id)
    if (each.kind === 'Acknowledged') for (const id of each.ids) running.delete(id)
  }
  return removed(deps, orphan, result, [...running])
}

/** What was applied to a queue is taken back. */
async function removeSettings(deps: RemovalDeps, orphan: Orphan): Promise<RemovedOrphan> {
  const { marker } = orphan
  const { queue } = marker
  if (queue === undefined) return { isComplete: true, isRemoved: false, stillRunning: [] }
  const isWanted = () => isStillGone(deps, marker)
  const kind = createSettingsKind({ ...deps, ...orphan, queue, wish: { kind: 'Released' }, isWanted })
  const { result } = await removeRecord(kind, { record: undefined }, orphan)
  return removed(deps, orphan, result, [])
}

function removed({ log }: RemovalDeps, { owner }: Orphan, result: VisitResult<unknown>, running: readonly string[]): RemovedOrphan {
  // A record that a later version wrote is left alone, and holds up no other one.
  if (result.kind === 'Failed' && !hasCode(result.error, 'TM_LEDGER_UNREADABLE')) throw result.error
  if (result.kind !== 'Deleted') return { isComplete: result.kind !== 'Fenced', isRemoved: false, stillRunning: [] }
  log.info({ owner, stillRunning: running.length }, 'removed orphaned data of an object that is gone')
  return { isComplete: true, isRemoved: true, stillRunning: running }
}

function isStillGone({ exists }: RemovalDeps, { kind, namespace, name }: Orphan['marker']): boolean {
  return !exists(kind, namespace, name)
}

function placeNothing(): never {
  throw new TypeError('orphaned data is removed, nothing is placed')
}

/** For slots that started objects: those belong to the schedule, and are garbage-collected with it. */
const goneWithSchedule: SlotExecutor = {
  isFor: (generation) => !isQueueGeneration(generation) && !isSchedulerGeneration(generation),
  observe: () => Promise.resolve({ ends: [] }),
  starting: {
    kind: 'AfterIntent',
    make: placeNothing,
    place: placeNothing,
  },
  remove: (slots) => Promise.resolve(slots.map(() => 'Absent' as const)),
  cancel: (slots) => Promise.resolve(slots.map(() => 'Absent' as const)),
  look: (slots) => Promise.resolve(slots.map(() => ({ state: 'Absent' as const }))),
  acknowledge: () => Promise.resolve(nothingAcknowledged),
  forget: () => Promise.resolve(nothingAcknowledged),
  subjects: () => [],
}
