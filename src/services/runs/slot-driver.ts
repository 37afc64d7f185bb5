import type { Broker, DispatchProof, StoredLedger } from '../../broker/index.ts'
import type { Clock } from '../../clock/index.ts'
import type { CountIncrement, OwnerMarker, Slot } from '../../contract/index.ts'
import { taskmillError } from '../../errors/index.ts'
import type { Logger } from '../../observability/index.ts'
import { createBrokerClock } from '../brokers/index.ts'
import {
  type Change,
  findChanges,
  type Knowledge,
  type Ledger,
  type RunObservation,
  type MissedReason,
  nextStep,
  parseLedger,
  type SchedulePlan,
  type Step,
} from '../../scheduling/index.ts'
import type { Outcomes } from '../signals/index.ts'
import type { Placing, SlotExecutor, SlotRef } from './slot-executor.ts'

/** What one process remembers of a ledger between two visits. Losing it costs one read. */
export type LedgerMemory = {
  /** What is stored as far as is known; undefined: not read in this term, or not since something went wrong. */
  seen:
    | { readonly revision: number; readonly ledger: Ledger | undefined; readonly deletionPolicy: OwnerMarker['deletionPolicy'] | undefined }
    | undefined
  /** In which that was learned. */
  epoch?: number
  readonly placed: Set<Slot>
  readonly removed: Map<Slot, 'Removed' | 'Started' | 'Absent'>
  readonly looked: Map<Slot, RunObservation>
}

export type Visit = {
  readonly broker: Broker
  readonly proof: DispatchProof
  readonly marker: OwnerMarker
  readonly ledger: string
  readonly plan: SchedulePlan
  readonly memory: LedgerMemory
  /** All that may carry out a run of this ledger, also from a former template. */
  readonly executors: readonly SlotExecutor[]
  readonly onChanges: (changes: readonly Change[], ledger: Ledger) => void
  /** Asked before each step. */
  readonly isWanted?: () => boolean
  readonly signal: AbortSignal
}

/** `Waiting` until a moment of the broker's clock, or until something happens. `Busy`: there is more to do, but others want their turn. */
export type VisitResult =
  | { readonly kind: 'Waiting'; readonly untilMs: number | undefined }
  | { readonly kind: 'Busy' }
  | { readonly kind: 'Deleted' }
  /** Somebody else dispatches here now. */
  | { readonly kind: 'Fenced' }
  | { readonly kind: 'Unwanted' }
  /** What a due slot is to start cannot be started now, for this reason. */
  | { readonly kind: 'Postponed'; readonly message: string }

/**
 * Carries out what the state machine of `scheduling` asks for, one step after the other, against a broker. It decides nothing.
 *
 * Guarantees: every write is a compare-and-swap on what was seen, with the proof; after anything that leaves doubt (a conflict, an
 * error, a fence) the ledger is read again before the next step; a ledger at rest costs no round trip. A ledger that cannot be read
 * (TM_LEDGER_UNREADABLE) is never written over.
 */
export type SlotDriver = {
  visit(visit: Visit): Promise<VisitResult>
  /** The broker's clock, by what it said last; this process's own before it said anything. */
  brokerNow(broker: Broker): number
}

export type SlotDriverDeps = {
  readonly clock: Clock
  readonly log: Logger
  /** Is told of every run whose end was recorded, and thereby counted. */
  readonly outcomes?: Pick<Outcomes, 'tell'> | undefined
  /** Called before and after every write and effect, so that a test can end the process there. */
  readonly at?: (point: string) => void
}

const maxSteps = 100

export function emptyLedgerMemory(): LedgerMemory {
  return { seen: undefined, placed: new Set(), removed: new Map(), looked: new Map() }
}

export function createSlotDriver({ clock, log, outcomes, at = () => undefined }: SlotDriverDeps): SlotDriver {
  const { now: brokerNow, set: setBrokerTime } = createBrokerClock(clock)

  async function look({ broker, ledger, memory, proof }: Visit): Promise<NonNullable<LedgerMemory['seen']>> {
    // Between two terms somebody else may have written, and acted.
    if (memory.seen !== undefined && memory.epoch === proof.epoch) return memory.seen
    memory.epoch = proof.epoch
    const { stored, brokerTimeMs } = await broker.readLedgers([ledger])
    setBrokerTime(broker, brokerTimeMs)
    forgetEffects(memory)
    return (memory.seen = seenOf(stored[0]))
  }

  async function write(
    visit: Visit,
    step: { readonly what: string; readonly ledger: Ledger | undefined } & Window,
  ): Promise<'Written' | 'Refused' | 'Fenced'> {
    const { broker, memory, marker, proof } = visit
    const seen = await look(visit)
    const { deletionPolicy } = marker
    const changes = step.ledger === undefined ? [] : findChanges(seen.ledger, step.ledger)
    const counts = countsOf(visit, seen.ledger, changes)
    // A reply that is lost leaves open what is stored.
    memory.seen = undefined
    at(`before write ${step.what}`)
    const answer = await broker.writeLedger({
      ledger: visit.ledger,
      expectedRevision: seen.revision,
      document: step.ledger === undefined ? undefined : JSON.stringify({ ...step.ledger, deletionPolicy }),
      marker,
      proof,
      notBeforeMs: step.notBeforeMs,
      beforeMs: step.beforeMs,
      counts,
    })
    at(`after write ${step.what}`)
    setBrokerTime(broker, answer.brokerTimeMs)
    if (answer.outcome === 'Fenced') return 'Fenced'
    memory.seen = seenOf(answer.stored)
    if (answer.outcome === 'Written') {
      outcomes?.tell(marker.namespace, counts)
      if (step.ledger !== undefined) visit.onChanges(changes, step.ledger)
      return 'Written'
    }
    if (answer.outcome === 'Conflict') forgetEffects(memory)
    log.debug({ ledger: visit.ledger, write: step.what, outcome: answer.outcome }, 'a write to a ledger was refused, looking again')
    return 'Refused'
  }

  /** What happens outside of the ledger. */
  async function effect(visit: Visit, step: Extract<Step, { readonly slots: readonly Slot[] }>): Promise<Placing> {
    const { memory } = visit
    switch (step.kind) {
      case 'Place': {
        at('before place')
        const answers = await Promise.all(byExecutor(visit, step.slots).map(([executor, refs]) => executor.place(refs)))
        at('after place')
        if (answers.includes('Fenced')) return 'Fenced'
        const postponed = answers.find((answer) => answer !== 'Done')
        if (postponed !== undefined) return postponed
        for (const slot of step.slots) {
          memory.placed.add(slot)
          memory.removed.delete(slot)
        }
        return 'Done'
      }
      case 'Remove': {
        at('before remove')
        const answers = await ask(visit, step.slots, (executor, refs) => executor.remove(refs))
        at('after remove')
        for (const [slot, answer] of answers) {
          if (answer === 'Fenced') return 'Fenced'
          memory.removed.set(slot, answer)
          memory.placed.delete(slot)
        }
        return 'Done'
      }
      case 'Look': {
        for (const [slot, state] of await ask(visit, step.slots, (executor, refs) => executor.look(refs))) memory.looked.set(slot, state)
        return 'Done'
      }
      case 'Acknowledge': {
        const nowMs = brokerNow(visit.broker)
        at('before acknowledge')
        const answers = await Promise.all(
          visit.executors.map(async (executor) => {
            const known = new Set(executor.ended(nowMs).map(({ slot }) => slot))
            const slots = step.slots.filter((slot) => known.has(slot))
            return slots.length === 0 ? 'Done' : await executor.acknowledge(slots)
          }),
        )
        at('after acknowledge')
        return answers.includes('Fenced') ? 'Fenced' : 'Done'
      }
    }
  }

  async function steps(visit: Visit): Promise<VisitResult> {
    const { broker, plan, memory } = visit
    /** Whether the broker itself said in this visit what is stored. */
    let isFresh = false
    for (let count = 0; count < maxSteps; count++) {
      visit.signal.throwIfAborted()
      if (visit.isWanted?.() === false) return { kind: 'Unwanted' }
      isFresh ||= memory.seen === undefined
      const seen = await look(visit)
      const againAfterMs = await gather(visit, seen.ledger)
      const nowMs = brokerNow(broker)
      const step = nextStep(seen.ledger, plan, knowledgeOf(visit, nowMs), nowMs)
      if (step.kind === 'Wait') {
        const isMarked = seen.ledger === undefined || plan.deletion !== undefined || seen.deletionPolicy === visit.marker.deletionPolicy
        if (isMarked)
          return {
            kind: 'Waiting',
            untilMs: againAfterMs === Infinity ? step.untilMs : Math.min(nowMs + againAfterMs, step.untilMs ?? Infinity),
          }
        if ((await write(visit, { what: 'marker', ledger: seen.ledger })) === 'Fenced') return fenced(visit)
      } else if (step.kind === 'Write' || step.kind === 'Delete') {
        if (step.kind === 'Delete' && seen.revision === 0) return { kind: 'Deleted' }
        // Before the ledger goes, so that who dies in between begins again.
        if (step.kind === 'Delete') await Promise.all(visit.executors.map((executor) => executor.forget()))
        const answer = await write(visit, step.kind === 'Delete' ? { what: 'delete', ledger: undefined } : step)
        isFresh = true
        if (answer === 'Fenced') return fenced(visit)
        if (answer === 'Written' && step.kind === 'Delete') return { kind: 'Deleted' }
      } else if (step.kind === 'Acknowledge' && !isFresh) {
        // What is acknowledged is gone: a broker that came back with an older ledger may still have to record it.
        memory.seen = undefined
      } else {
        const answer = await effect(visit, step)
        if (answer === 'Fenced') return fenced(visit)
        if (answer !== 'Done') return { kind: 'Postponed', message: answer.postponed }
      }
    }
    return { kind: 'Busy' }
  }

  return {
    brokerNow,
    async visit(visit) {
      // What an active run is doing changes by itself.
      visit.memory.looked.clear()
      try {
        const result = await steps(visit)
        prune(visit.memory)
        return result
      } catch (error) {
        visit.memory.seen = undefined
        forgetEffects(visit.memory)
        throw error
      }
    },
  }
}

type Window = { readonly notBeforeMs?: number | undefined; readonly beforeMs?: number | undefined }

function forgetEffects(memory: LedgerMemory): void {
  memory.placed.clear()
  memory.removed.clear()
  memory.looked.clear()
}

/** Only what is open can still be asked about. */
function prune({ seen, placed, removed }: LedgerMemory): void {
  // Deleted: what had started by then is of interest to whoever waits for its end.
  if (seen?.ledger === undefined) return
  const open = new Set(seen.ledger.open.map(({ slot }) => slot))
  for (const slot of placed) if (!open.has(slot)) placed.delete(slot)
  for (const slot of removed.keys()) if (!open.has(slot)) removed.delete(slot)
}

function seenOf(stored: StoredLedger | undefined): NonNullable<LedgerMemory['seen']> {
  if (stored === undefined) return { revision: 0, ledger: undefined, deletionPolicy: undefined }
  const parsed = parseLedger(stored.document)
  if (!parsed.ok) throw taskmillError('TM_LEDGER_UNREADABLE', parsed.message)
  const { deletionPolicy } = JSON.parse(stored.document) as { readonly deletionPolicy?: OwnerMarker['deletionPolicy'] }
  return { revision: stored.revision, ledger: parsed.ledger, deletionPolicy }
}

function fenced({ memory }: Visit): VisitResult {
  memory.seen = undefined
  forgetEffects(memory)
  return { kind: 'Fenced' }
}

function knowledgeOf({ memory, executors }: Visit, nowMs: number): Knowledge {
  const { placed, removed, looked } = memory
  return { placed, removed, looked, ended: executors.flatMap((executor) => executor.ended(nowMs)) }
}

/** What was dispatched, or is as good as that. What may not have happened yet, or is being taken back, nobody waits for. */
async function gather({ executors }: Visit, ledger: Ledger | undefined): Promise<number> {
  const undecided = new Set(ledger?.open.flatMap(({ slot, state }) => (state === 'Intended' || state === 'Revoking' ? [slot] : [])))
  const begun = ledger?.active.filter(({ slot }) => !undecided.has(slot)) ?? []
  const waits = executors.map(
    async (executor) => executor.gather?.(begun.filter(({ generation }) => executor.runs(generation))) ?? Infinity,
  )
  return Math.min(Infinity, ...(await Promise.all(waits)))
}

function generationIn(ledger: Ledger | undefined, slot: Slot): string | undefined {
  return (ledger?.open.find((each) => each.slot === slot) ?? ledger?.active.find((each) => each.slot === slot))?.generation
}

/** The slots with the templates that they are made from, each with who carries it out. */
function byExecutor({ executors, memory, plan }: Visit, slots: readonly Slot[]): readonly (readonly [SlotExecutor, readonly SlotRef[]])[] {
  const refs = slots.map((slot) => ({ slot, generation: generationIn(memory.seen?.ledger, slot) ?? plan.generation }))
  const groups = Map.groupBy(refs, ({ generation }) => {
    const executor = executors.find((each) => each.runs(generation))
    if (executor === undefined) throw new TypeError(`nothing runs slots of the generation ${generation}`)
    return executor
  })
  return [...groups]
}

async function ask<T>(
  visit: Visit,
  slots: readonly Slot[],
  question: (executor: SlotExecutor, refs: readonly SlotRef[]) => Promise<readonly T[]>,
): Promise<readonly (readonly [Slot, T])[]> {
  const groups = byExecutor(visit, slots)
  const answers = await Promise.all(
    groups.map(async ([executor, refs]) => {
      const all = await question(executor, refs)
      return refs.flatMap(({ slot }, index) => all.slice(index, index + 1).map((answer) => [slot, answer] as const))
    }),
  )
  return answers.flat()
}

/** What people did to a schedule is no miss of the schedule's. */
const meant: readonly MissedReason[] = ['Suspended', 'ScheduleChanged']

/** Every run whose end a write records: one of its schedule, and of what its executor names; and every slot that it gives up. */
function countsOf({ marker, executors }: Visit, before: Ledger | undefined, changes: readonly Change[]): readonly CountIncrement[] {
  return changes.flatMap((change): readonly CountIncrement[] => {
    if (change.kind === 'Missed' && !meant.includes(change.reason)) {
      return [{ subjectKind: 'TaskSchedule', subject: marker.name, outcome: 'Missed', count: change.count }]
    }
    if (change.kind !== 'RunEnded') return []
    const { slot, succeeded } = change.run
    const generation = generationIn(before, slot)
    const others = generation === undefined ? [] : (executors.find((each) => each.runs(generation))?.subjects(generation) ?? [])
    const outcome: CountIncrement['outcome'] = succeeded ? 'Succeeded' : 'Failed'
    return [{ subjectKind: 'TaskSchedule', subject: marker.name, outcome }, ...others.map((other) => ({ ...other, outcome }))]
  })
}
