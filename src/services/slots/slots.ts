import type { PlacedJob } from '../../broker/index.ts'
import type { OwnerMarker, Slot } from '../../contract/index.ts'
import {
  type Change,
  dueOf,
  findChanges,
  generationOf,
  type Knowledge,
  type Ledger,
  nextStep,
  type RunOutcome,
  type SchedulePlan,
  slotForGroup,
  type Step as SlotStep,
} from '../../scheduling/index.ts'
import { type Acted, type Kind, retryMs, type Step } from '../engine/index.ts'
import type { Primitive, PrimitiveAnswer } from '../primitives/index.ts'
import {
  effectsOf,
  generationIn,
  knownEffects,
  type LedgerRecord,
  type LedgerStep,
  pruneEffects,
  readLedger,
  type SlotContext,
  type SlotDeps,
  type SlotVisit,
  storeLedger,
} from './ledger-record.ts'
import type { GroupLook } from './concurrency-groups.ts'
import type { MadeOfSlots, ObservedRuns, Placing, SlotExecutor, SlotRef } from './slot-executor.ts'

/** What took place: a write that was stored, or done jobs that were removed. */
export type SlotHappening =
  | { readonly kind: 'Recorded'; readonly changes: readonly Change[]; readonly ledger: Ledger }
  | { readonly kind: 'Acknowledged'; readonly ids: readonly string[] }

/** The API server does not accept now what a due slot is to start. */
export type SlotPostponed = { readonly kind: 'Postponed'; readonly message: string }

export type ObservedSlots = {
  readonly record: LedgerRecord
  readonly plan: SchedulePlan
  readonly deletionPolicy: OwnerMarker['deletionPolicy']
  readonly knowledge: Knowledge
  readonly runs: readonly (ObservedRuns & { readonly executor: SlotExecutor })[]
  /** On the broker's clock. */
  readonly nowMs: number
}

type SlotWrite = Extract<SlotStep, { readonly kind: 'Write' }>
type FollowStep = Extract<SlotStep, { readonly kind: 'Follow' }>

/**
 * `Write`: with the jobs that it places. `Refuse`: nothing can be started for these slots. `Mark`: the deletion policy was edited, and the owner
 * marker has to say so.
 */
export type SlotAction =
  | Exclude<SlotStep, { readonly kind: 'Wait' | 'Write' }>
  | (SlotWrite & { readonly jobs: readonly PlacedJob[] })
  | { readonly kind: 'Refuse'; readonly refused: ReadonlyMap<Slot, string> }
  | { readonly kind: 'Mark' }

type SlotActed = Acted<LedgerRecord, SlotHappening, SlotPostponed>

/** Enough of a plan to end a ledger by: what has not started is taken back, or all is left as it is. */
export function deletionPlan(deletion: OwnerMarker['deletionPolicy'], epoch: number): SchedulePlan {
  return {
    timing: { everySeconds: 3600 },
    slots: { next: () => undefined, between: () => [] },
    seed: '',
    suspended: true,
    concurrencyPolicy: 'Allow',
    missedRuns: 'Skip',
    missedRunsLimit: 1,
    generation: generationOf('', ''),
    epoch,
    createdAtMs: 0,
    deletion,
  }
}

/**
 * Carries out what the state machine of `scheduling` asks for. It makes no decisions.
 *
 * Guarantees, beside those of the engine: every write is a compare-and-swap on the revision, with the proof; a ledger that cannot be read
 * (TM_LEDGER_UNREADABLE) is never written over; an end is counted in the write that records it.
 */
export function createSlotKind(
  deps: SlotDeps,
  visit: SlotVisit,
): Kind<LedgerRecord, ObservedSlots, SlotAction, SlotHappening, SlotPostponed> {
  const context = { ...deps, ...visit }
  pruneEffects(visit.memory)
  return {
    observe: (known) => observe(context, known),
    step: (observed) => nextSlotStep(context, observed),
    act: (observed, action) => act(context, observed, action),
  }
}

async function observe(context: SlotContext, known: LedgerRecord | undefined): Promise<ObservedSlots | 'Unwanted'> {
  const { broker, brokerClock, executors, marker, memory, plan } = context
  if (context.isWanted?.() === false) return 'Unwanted'
  const record = known ?? (await readLedger(context))
  const begun = begunIn(record.ledger)
  const nowMs = brokerClock.now(broker)
  const runs = await Promise.all(
    executors.map(async (executor) => ({
      executor,
      ...(await executor.observe(
        begun.filter(({ generation }) => executor.isFor(generation)),
        nowMs,
      )),
    })),
  )
  const { placed, refused, removed, cancelled, looked } = knownEffects(memory)
  const ended = [...refusedEnds(refused, record.ledger, nowMs), ...runs.flatMap(({ ends }) => ends)]
  const primitives = await observePrimitives(context, record.ledger, nowMs)
  const observedAtMs = brokerClock.now(broker)
  const knowledge = {
    placed,
    refused: new Set(refused.keys()),
    removed,
    cancelled,
    looked,
    ended,
    missing: new Set(runs.flatMap((each) => each.missing ?? [])),
    ...primitives,
    isGroupFull: context.group !== undefined && !context.group.mayStart(groupLookOf(record, plan, observedAtMs)),
    isGroupAwaited: context.group?.isAwaited(),
  }
  return { record, plan, deletionPolicy: marker.deletionPolicy, knowledge, runs, nowMs: observedAtMs }
}

function groupLookOf({ ledger }: LedgerRecord, plan: SchedulePlan, nowMs: number): GroupLook {
  return { head: slotForGroup(ledger, plan, nowMs), runs: ledger?.active.length ?? 0 }
}

/** The primitive that the ledger follows, and which of them exist. */
async function observePrimitives(
  { primitives = [] }: SlotContext,
  ledger: Ledger | undefined,
  nowMs: number,
): Promise<Pick<Knowledge, 'followed' | 'present'>> {
  if (primitives.length === 0) return {}
  const own = ledger && primitives.find(({ engine }) => engine === ledger.timing.engine)
  const [followed, ...there] = await Promise.all([
    ledger && own?.observe(ledger, nowMs),
    ...primitives.map(async (each) => ((await each.isPresent(ledger)) ? [each.engine] : [])),
  ])
  return { followed, present: there.flat() }
}

/** Of slots that are intended. One that is not due yet can still be helped by an edit. */
function refusedEnds(refused: ReadonlyMap<Slot, string>, ledger: Ledger | undefined, nowMs: number): readonly RunOutcome[] {
  if (refused.size === 0) return []
  const due = ledger?.open.filter((open) => dueOf(open) * 1000 <= nowMs) ?? []
  return due.flatMap(({ slot }) => {
    const message = refused.get(slot)
    return message === undefined ? [] : [{ slot, succeeded: false, reason: 'Refused' as const, message, finishedAtMs: nowMs }]
  })
}

function nextSlotStep(context: SlotContext, observed: ObservedSlots): Step<SlotAction> {
  const { record, plan, knowledge, runs, nowMs, deletionPolicy } = observed
  const action = nextStep(record.ledger, plan, knowledge, nowMs)
  switch (action.kind) {
    case 'Wait': {
      const isMarked = record.ledger === undefined || plan.deletion !== undefined || record.deletionPolicy === deletionPolicy
      if (!isMarked) return { kind: 'Act', changes: 'Record', action: { kind: 'Mark' } }
      const againAfterMs = Math.min(Infinity, ...runs.map((each) => each.againAfterMs ?? Infinity))
      const untilMs = Math.min(nowMs + againAfterMs, action.untilMs ?? Infinity)
      return { kind: 'Wait', untilMs: untilMs === Infinity ? undefined : untilMs }
    }
    case 'Write':
      return withJobs(context, observed, action)
    case 'Delete':
      return { kind: 'Act', changes: 'Record', action }
    case 'Acknowledge':
      return { kind: 'Act', changes: 'Ends', action }
    case 'Place':
    case 'Remove':
    case 'Cancel':
    case 'Look':
    case 'Follow':
      return { kind: 'Act', changes: 'Effects', action }
  }
}

/** The write with the jobs that it places; or, if nothing can be started for some of its slots, that this is so: then another write follows. */
function withJobs(context: SlotContext, { plan }: ObservedSlots, step: SlotWrite): Step<SlotAction> {
  const { made, refused } =
    step.places === undefined ? tryToMake(context, plan, step.makes ?? []) : makeJobs(context, plan, step.places, step.ledger)
  if (refused.size > 0) return { kind: 'Act', changes: 'Effects', action: { kind: 'Refuse', refused } }
  return { kind: 'Act', changes: 'Record', action: { ...step, jobs: made.map(({ what }) => what) } }
}

/** Makes nothing, but finds for which slots nothing can be made. */
function tryToMake({ executors }: SlotContext, { generation }: SchedulePlan, slots: readonly Slot[]): MadeOfSlots<PlacedJob> {
  if (slots.length === 0) return { made: [], refused: new Map() }
  const { refused } = executorOf(executors, generation).starting.make(slots.map((slot) => ({ slot, generation })))
  return { made: [], refused }
}

/** A write places only by the present template. */
function makeJobs({ executors }: SlotContext, { generation }: SchedulePlan, slots: readonly Slot[], { open, active }: Ledger) {
  const starting = executorOf(executors, generation).starting
  if (starting.kind !== 'WithWrite') throw new TypeError(`no write starts slots of the generation ${generation}`)
  const entries = new Map([...active, ...open].map((entry) => [entry.slot, entry]))
  return starting.make(
    slots.map((slot) => {
      const { dueAt } = entries.get(slot) ?? {}
      return { slot, generation, ...(dueAt !== undefined && { dueAt }) }
    }),
  )
}

function act(context: SlotContext, observed: ObservedSlots, action: SlotAction): Promise<SlotActed> {
  switch (action.kind) {
    case 'Write':
      return write(context, observed, action)
    case 'Mark':
      return write(context, observed, { what: 'marker', ledger: observed.record.ledger })
    case 'Refuse':
      return refuse(context, action.refused)
    case 'Delete':
      return deleteLedger(context, observed)
    case 'Place':
      return place(context, observed, action.slots)
    case 'Remove':
      return remove(context, observed, action.slots)
    case 'Cancel':
      return cancel(context, observed, action.slots)
    case 'Look':
      return look(context, observed, action.slots)
    case 'Acknowledge':
      return acknowledge(context, observed, action.slots)
    case 'Follow':
      return follow(context, action)
  }
}

async function follow({ primitives = [], reachPoint = () => undefined }: SlotContext, step: FollowStep): Promise<SlotActed> {
  const primitive = primitives.find(({ engine }) => engine === step.engine)
  if (primitive === undefined) throw new TypeError(`nothing is known of the engine ${step.engine}`)
  const name = step.act.toLowerCase()
  reachPoint(`before ${name} primitive`)
  const answer = await changePrimitive(primitive, step)
  reachPoint(`after ${name} primitive`)
  if (typeof answer === 'string') return { outcome: answer }
  return { outcome: { stopped: { kind: 'Postponed', message: answer.postponed }, againAfterMs: retryMs.postponed } }
}

function changePrimitive(primitive: Primitive, { act: change, after }: FollowStep): Promise<PrimitiveAnswer> {
  switch (change) {
    case 'Start':
      return primitive.start(after)
    case 'Stop':
      return primitive.stop()
    case 'Survey':
      return primitive.survey()
    case 'Remove':
      return primitive.remove()
  }
}

async function write(
  context: SlotContext,
  observed: ObservedSlots,
  step: Pick<SlotWrite, 'places' | 'ends'> & Omit<LedgerStep, 'changes'>,
): Promise<SlotActed> {
  const { places = [] } = step
  const changes = step.ledger === undefined ? [] : findChanges(observed.record.ledger, step.ledger, step.ends)
  const { outcome, record, brokerTimeMs } = await storeLedger(context, observed, { ...step, changes })
  if (outcome === 'Fenced') return { outcome }
  if (outcome !== 'Written' || step.ledger === undefined) return { outcome: 'Done', record }
  for (const slot of places) context.memory.effects?.removed.delete(slot)
  const told =
    places.length === 0 ? changes : changes.map((change) => (change.kind === 'Dispatched' ? placedAt(change, brokerTimeMs) : change))
  return { outcome: 'Done', record, happened: [{ kind: 'Recorded', changes: told, ledger: step.ledger }] }
}

/** A slot that was decided when it was due could start when the write was carried out. */
function placedAt<T extends { readonly dueAt: Slot; readonly atMs: number }>(change: T, writtenAtMs: number): T {
  return change.atMs <= change.dueAt * 1000 ? change : { ...change, atMs: Math.max(change.atMs, writtenAtMs) }
}

/** Removes the ends that will never be recorded before the ledger: a process that dies in between begins again. */
async function deleteLedger(context: SlotContext, observed: ObservedSlots): Promise<SlotActed> {
  if (observed.record.revision === 0) return { outcome: 'Deleted', record: observed.record }
  const forgotten = await Promise.all(context.executors.map((executor) => executor.forget()))
  const happened = acknowledgedIn(forgotten)
  if (forgotten.includes('Fenced')) return { outcome: 'Fenced', happened }
  const { outcome, record } = await storeLedger(context, observed, { what: 'delete', ledger: undefined, changes: [] })
  if (outcome === 'Fenced') return { outcome, happened }
  return { outcome: outcome === 'Written' ? 'Deleted' : 'Done', record, happened }
}

function refuse({ memory }: SlotContext, refused: ReadonlyMap<Slot, string>): Promise<SlotActed> {
  for (const [slot, message] of refused) effectsOf(memory).refused.set(slot, message)
  return Promise.resolve({ outcome: 'Done' })
}

async function place(context: SlotContext, observed: ObservedSlots, slots: readonly Slot[]): Promise<SlotActed> {
  const { memory, reachPoint = () => undefined } = context
  reachPoint('before place')
  const answers = await Promise.all(byExecutor(context, observed, slots).map(([executor, refs]) => placeWith(executor, refs)))
  reachPoint('after place')
  const outcomes = answers.map(({ outcome }) => outcome)
  if (outcomes.includes('Fenced')) return { outcome: 'Fenced' }
  const refused = new Map(answers.flatMap((answer) => [...answer.refused]))
  const effects = effectsOf(memory)
  for (const [slot, message] of refused) effects.refused.set(slot, message)
  const postponed = outcomes.find((outcome) => typeof outcome !== 'string')
  if (postponed !== undefined) {
    return { outcome: { stopped: { kind: 'Postponed', message: postponed.postponed }, againAfterMs: retryMs.postponed } }
  }
  for (const slot of slots) {
    if (!refused.has(slot)) effects.placed.add(slot)
    effects.removed.delete(slot)
  }
  return { outcome: 'Done' }
}

function placeWith({ starting }: SlotExecutor, refs: readonly SlotRef[]): Promise<Placing> {
  if (starting.kind !== 'AfterIntent') throw new TypeError('jobs of a queue are placed by the write to their ledger')
  return starting.place(refs)
}

async function remove(context: SlotContext, observed: ObservedSlots, slots: readonly Slot[]): Promise<SlotActed> {
  const { memory, reachPoint = () => undefined } = context
  reachPoint('before remove')
  const answers = await askExecutors(context, observed, slots, (executor, refs) => executor.remove(refs))
  reachPoint('after remove')
  const effects = effectsOf(memory)
  for (const [slot, answer] of answers) {
    if (answer === 'Fenced') return { outcome: 'Fenced' }
    effects.removed.set(slot, answer)
    effects.placed.delete(slot)
    effects.refused.delete(slot)
  }
  return { outcome: 'Done' }
}

async function cancel(context: SlotContext, observed: ObservedSlots, slots: readonly Slot[]): Promise<SlotActed> {
  const { memory, reachPoint = () => undefined } = context
  reachPoint('before cancel')
  const answers = await askExecutors(context, observed, slots, (executor, refs) => executor.cancel(refs))
  reachPoint('after cancel')
  const effects = effectsOf(memory)
  for (const [slot, answer] of answers) {
    if (answer === 'Fenced') return { outcome: 'Fenced' }
    effects.cancelled.set(slot, answer)
  }
  return { outcome: 'Done' }
}

async function look(context: SlotContext, observed: ObservedSlots, slots: readonly Slot[]): Promise<SlotActed> {
  const answers = await askExecutors(context, observed, slots, (executor, refs) => executor.look(refs))
  const { looked } = effectsOf(context.memory)
  for (const [slot, state] of answers) looked.set(slot, state)
  return { outcome: 'Done' }
}

/** Each executor acknowledges the ends that it observed. */
async function acknowledge(
  { memory, reachPoint = () => undefined }: SlotContext,
  { runs }: ObservedSlots,
  slots: readonly Slot[],
): Promise<SlotActed> {
  reachPoint('before acknowledge')
  const answers = await Promise.all(
    runs.map(async ({ executor, ends }) => {
      const observed = new Set(ends.map(({ slot }) => slot))
      const its = slots.filter((slot) => observed.has(slot))
      return its.length === 0 ? { ids: [] } : await executor.acknowledge(its)
    }),
  )
  reachPoint('after acknowledge')
  for (const slot of slots) memory.effects?.refused.delete(slot)
  return { outcome: answers.includes('Fenced') ? 'Fenced' : 'Done', happened: acknowledgedIn(answers) }
}

function acknowledgedIn(answers: readonly ('Fenced' | { readonly ids: readonly string[] })[]): readonly SlotHappening[] {
  const ids = answers.flatMap((answer) => (answer === 'Fenced' ? [] : answer.ids))
  return ids.length === 0 ? [] : [{ kind: 'Acknowledged', ids }]
}

/** Runs that were dispatched, or are as good as that. A slot that may not have started yet, or is being taken back, has no run to wait for. */
function begunIn(ledger: Ledger | undefined): readonly SlotRef[] {
  const undecided = new Set(ledger?.open.flatMap(({ slot, state }) => (state === 'Intended' || state === 'Revoking' ? [slot] : [])))
  return ledger?.active.filter(({ slot }) => !undecided.has(slot)) ?? []
}

/** The slots with the templates that they are made from, each with the executor that runs it. */
function byExecutor(
  { executors, plan }: SlotContext,
  { record }: ObservedSlots,
  slots: readonly Slot[],
): readonly (readonly [SlotExecutor, readonly SlotRef[]])[] {
  const refs = slots.map((slot) => ({ slot, generation: generationIn(record.ledger, slot) ?? plan.generation }))
  const groups = Map.groupBy(refs, ({ generation }) => {
    return executorOf(executors, generation)
  })
  return [...groups]
}

function executorOf(executors: readonly SlotExecutor[], generation: string): SlotExecutor {
  const executor = executors.find((each) => each.isFor(generation))
  if (executor === undefined) throw new TypeError(`nothing runs slots of the generation ${generation}`)
  return executor
}

async function askExecutors<T>(
  context: SlotContext,
  observed: ObservedSlots,
  slots: readonly Slot[],
  question: (executor: SlotExecutor, refs: readonly SlotRef[]) => Promise<readonly T[]>,
): Promise<readonly (readonly [Slot, T])[]> {
  const answers = await Promise.all(
    byExecutor(context, observed, slots).map(async ([executor, refs]) => {
      const all = await question(executor, refs)
      return refs.flatMap(({ slot }, index) => all.slice(index, index + 1).map((answer) => [slot, answer] as const))
    }),
  )
  return answers.flat()
}
