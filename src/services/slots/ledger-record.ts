/** A ledger in the broker: what is remembered of it, how it is read and written, and what a write counts. */
import type { Broker, DispatchProof, LedgerWrite, PlacedJob, StoredLedger } from '../../broker/index.ts'
import type { CountIncrement, OwnerMarker, Slot } from '../../contract/index.ts'
import { taskmillError } from '../../errors/index.ts'
import type { Logger } from '../../observability/index.ts'
import {
  type CancelResult,
  type Change,
  groupChangeOf,
  type Knowledge,
  type Ledger,
  type MissedReason,
  parseLedger,
  type RunObservation,
  type SchedulePlan,
} from '../../scheduling/index.ts'
import type { BrokerClock } from '../brokers/index.ts'
import type { KillPointHook, Memory } from '../engine/index.ts'
import type { Primitive } from '../primitives/index.ts'
import type { RunCounts } from '../signals/index.ts'
import type { GroupPlace } from './concurrency-groups.ts'
import type { SlotExecutor } from './slot-executor.ts'

/** A ledger as it is stored. `ledger` undefined: there is none; the deletion policy is that of its owner marker. */
export type LedgerRecord = {
  readonly revision: number
  readonly ledger: Ledger | undefined
  readonly deletionPolicy: OwnerMarker['deletionPolicy'] | undefined
}

/** What one process remembers of a schedule's slots between two visits: the ledger, and what it learned of effects since. */
export type SlotMemory = Memory<LedgerRecord> & {
  /** Undefined: none. There are thousands of schedules, and most of them wait for a slot of tomorrow. */
  effects?: Effects | undefined
}

type Effects = {
  readonly placed: Set<Slot>
  /** Slots for which nothing could be started, and why: until they are due and their ends are recorded, or an edit takes them back. */
  readonly refused: Map<Slot, string>
  readonly removed: Map<Slot, 'Removed' | 'Started' | 'Absent'>
  readonly cancelled: Map<Slot, CancelResult>
  readonly looked: Map<Slot, RunObservation>
}

/** What slots need of the process, whatever their schedule. */
export type SlotDeps = {
  readonly brokerClock: BrokerClock
  readonly log: Logger
  /** Re-reads what a recorded end changes. */
  readonly counts?: Pick<RunCounts, 'recorded'> | undefined
  readonly reachPoint?: KillPointHook | undefined
}

/** The slots of one schedule, for one visit. */
export type SlotVisit = {
  readonly broker: Broker
  readonly proof: DispatchProof
  readonly marker: OwnerMarker
  readonly ledger: string
  readonly plan: SchedulePlan
  readonly memory: SlotMemory
  /** All that may carry out a run of this ledger, also from a former template. */
  readonly executors: readonly SlotExecutor[]
  /** All that may start its runs instead of Taskmill, also by a former spec. */
  readonly primitives?: readonly Primitive[] | undefined
  /** Its place in the concurrency group of the plan. */
  readonly group?: GroupPlace | undefined
  /** Whether the object is still there, or still gone. Read before each step. */
  readonly isWanted?: (() => boolean) | undefined
}

export type SlotContext = SlotDeps & SlotVisit

/**
 * One write. It is refused while the broker's clock is before `notBeforeMs`, or at `beforeMs` or later. The jobs are placed with it, or nothing
 * is done.
 */
export type LedgerStep = {
  readonly what: string
  /** Undefined deletes it. */
  readonly ledger: Ledger | undefined
  readonly changes: readonly Change[]
  readonly notBeforeMs?: number | undefined
  readonly beforeMs?: number | undefined
  readonly jobs?: readonly PlacedJob[]
}

export function emptySlotMemory(): SlotMemory {
  return { record: undefined }
}

const emptyEffects = (): Effects => ({ placed: new Set(), refused: new Map(), removed: new Map(), cancelled: new Map(), looked: new Map() })
const noEffects = emptyEffects()

/** To read. */
export function knownEffects({
  effects = noEffects,
}: SlotMemory): Pick<Knowledge, 'placed' | 'removed' | 'cancelled' | 'looked'> & { readonly refused: ReadonlyMap<Slot, string> } {
  return effects
}

/** To write. */
export const effectsOf = (memory: SlotMemory): Effects => (memory.effects ??= emptyEffects())

/** Between two terms, and after doubt, another process may also have acted: what was learned of effects is forgotten with the record. */
export async function readLedger({ broker, brokerClock, ledger, memory }: SlotContext): Promise<LedgerRecord> {
  const { stored } = await brokerClock.timed(broker, () => broker.readLedgers([ledger]))
  forgetEffects(memory)
  return recordOf(stored[0])
}

/**
 * Writes by compare-and-swap on the revision that was observed, with the proof. `Refused`: the ledger is another one, its window is not open,
 * or its concurrency group has no room; `record` is what is stored.
 */
export async function storeLedger(
  context: SlotContext,
  { record }: { readonly record: LedgerRecord },
  step: LedgerStep,
): Promise<{ readonly outcome: 'Written' | 'Refused' | 'Fenced'; readonly record?: LedgerRecord; readonly brokerTimeMs: number }> {
  const { broker, brokerClock, memory, marker, proof, log, counts, reachPoint = () => undefined } = context
  const { deletionPolicy } = marker
  const { jobs = [] } = step
  const increments = countsOf(context, record.ledger, step.changes)
  reachPoint(`before write ${step.what}`)
  const write: LedgerWrite = {
    ledger: context.ledger,
    expectedRevision: record.revision,
    document: step.ledger === undefined ? undefined : JSON.stringify({ ...step.ledger, deletionPolicy }),
    marker,
    proof,
    notBeforeMs: step.notBeforeMs,
    beforeMs: step.beforeMs,
    counts: increments,
    places: jobs.length === 0 ? undefined : { jobs, brokerTimeMs: brokerClock.now(broker) },
    group: groupWriteOf(context, record.ledger, step.ledger),
  }
  const answer = await brokerClock.timed(broker, () => broker.writeLedger(write))
  reachPoint(`after write ${step.what}`)
  const { brokerTimeMs } = answer
  if (answer.outcome === 'Fenced') return { outcome: 'Fenced', brokerTimeMs }
  const stored = recordOf(answer.stored)
  if (answer.outcome === 'Written') {
    counts?.recorded(marker.namespace, increments)
    return { outcome: 'Written', record: stored, brokerTimeMs }
  }
  if (answer.outcome === 'Conflict') forgetEffects(memory)
  if (answer.outcome === 'GroupFull') context.group?.refused(answer.groupRuns ?? new Map())
  log.debug({ ledger: context.ledger, write: step.what, outcome: answer.outcome }, 'a write to a ledger was refused, reading again')
  return { outcome: 'Refused', record: stored, brokerTimeMs }
}

function groupWriteOf({ plan, group }: SlotContext, before: Ledger | undefined, after: Ledger | undefined): LedgerWrite['group'] {
  const change = groupChangeOf(before, after, plan)
  return change?.limit === undefined ? change : { ...change, gone: group?.gone() }
}

function recordOf(stored: StoredLedger | undefined): LedgerRecord {
  if (stored === undefined) return { revision: 0, ledger: undefined, deletionPolicy: undefined }
  const parsed = parseLedger(stored.document)
  if (!parsed.ok) throw taskmillError('TM_LEDGER_UNREADABLE', parsed.message)
  const { deletionPolicy } = JSON.parse(stored.document) as { readonly deletionPolicy?: OwnerMarker['deletionPolicy'] }
  return { revision: stored.revision, ledger: parsed.ledger, deletionPolicy }
}

function forgetEffects(memory: SlotMemory): void {
  memory.effects = undefined
}

/** Only what is open can still be asked about, and what an active run is doing changes by itself. */
export function pruneEffects(memory: SlotMemory): void {
  const { record, effects } = memory
  if (effects === undefined) return
  const { placed, refused, removed, cancelled, looked } = effects
  looked.clear()
  if (record?.ledger === undefined) return
  const open = new Set(record.ledger.open.map(({ slot }) => slot))
  for (const slot of placed) if (!open.has(slot)) placed.delete(slot)
  for (const slot of refused.keys()) if (!open.has(slot)) refused.delete(slot)
  for (const slot of removed.keys()) if (!open.has(slot)) removed.delete(slot)
  const active = new Set(record.ledger.active.map(({ slot }) => slot))
  // An end that was on its way may be lost.
  for (const [slot, result] of cancelled) if (!active.has(slot) || result === 'Ended') cancelled.delete(slot)
  if (placed.size + refused.size + removed.size + cancelled.size === 0) memory.effects = undefined
}

export function generationIn(ledger: Ledger | undefined, slot: Slot): string | undefined {
  return (ledger?.open.find((each) => each.slot === slot) ?? ledger?.active.find((each) => each.slot === slot))?.generation
}

/** Slots that people suspended or edited away are no misses of the schedule's. */
const meantByPeople: readonly MissedReason[] = ['Suspended', 'ScheduleChanged']

/** Every run whose end a write records, but those that were replaced: one of its schedule, and of what its executor names; and every slot that it gives up. */
function countsOf({ marker, executors }: SlotContext, before: Ledger | undefined, changes: readonly Change[]): readonly CountIncrement[] {
  return changes.flatMap((change): readonly CountIncrement[] => {
    if (change.kind === 'Missed' && !meantByPeople.includes(change.reason)) {
      return [{ subjectKind: 'TaskSchedule', subject: marker.name, outcome: 'Missed', count: change.count }]
    }
    if (change.kind !== 'RunEnded' || change.run.reason === 'Replaced') return []
    const { slot, succeeded } = change.run
    const generation = generationIn(before, slot)
    const others = generation === undefined ? [] : (executors.find((each) => each.isFor(generation))?.subjects(generation) ?? [])
    const outcome: CountIncrement['outcome'] = succeeded ? 'Succeeded' : 'Failed'
    return [{ subjectKind: 'TaskSchedule', subject: marker.name, outcome }, ...others.map((other) => ({ ...other, outcome }))]
  })
}
