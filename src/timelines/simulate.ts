/**
 * What becomes of the slots of one schedule if its runs go as assumed: the real rules (`nextStep`), carried out in a
 * world of values, in which time passes from one event to the next.
 */
import type { Slot } from '../contract/index.ts'
import {
  defaultPendingSeconds,
  dueAt,
  findChanges,
  isQueueGeneration,
  type CancelResult,
  type Knowledge,
  type Ledger,
  type MissedReason,
  nextStep,
  type RunObservation,
  type RunOutcome,
  type RunReason,
  type SchedulePlan,
  slotsWithin,
  type Step,
  waitingSlots,
} from '../scheduling/index.ts'

/** How one run goes, once it is dispatched. */
export type AssumedRun = {
  /** From its start to its end. */
  readonly takesSeconds: number
  /** From its dispatch to its start; Infinity: nothing ever starts it. Default: 0. */
  readonly startsAfterSeconds?: number
  readonly fails?: boolean
}

/** Both moments are Unix seconds. */
export type Interval = { readonly from: number; readonly until: number }

export type Assumptions = {
  /** The slots after `after`, up to and including `until`, fall due; no later one does. */
  readonly after: Slot
  readonly until: Slot
  readonly runOf: (slot: Slot) => AssumedRun
  /** While no operator runs. */
  readonly outage?: Interval | undefined
  /** A run by hand, which succeeds at its end. */
  readonly byHand?: Interval | undefined
}

/** What became of one slot. Moments are Unix seconds. */
export type SlotStory = {
  readonly slot: Slot
  /** When its run is due, if `jitterSeconds` delays it. */
  readonly dueAt?: Slot
  /** The slot was not dispatched, for this reason. */
  readonly missed?: MissedReason
  readonly dispatchedAt?: number
  /** What the run itself does, whatever is recorded of it; missing as long as nothing starts it. */
  readonly startedAt?: number
  readonly endedAt?: number
  /** What is recorded of the run, and when. */
  readonly outcome?: { readonly reason: RunReason; readonly at: number; readonly message?: string }
}

export type Timeline = {
  readonly slots: readonly SlotStory[]
  /** From `after` of the assumptions to the last thing that happens. */
  readonly span: Interval
} & Pick<Assumptions, 'outage' | 'byHand'>

/** The part of a plan that a simulation needs; the rest is what a schedule of its own has. */
export type SimulatedPlan = Omit<
  SchedulePlan,
  'epoch' | 'statusSlot' | 'statusDispatched' | 'deletion' | 'createdAtMs' | 'suspended' | 'isHeld'
>

/** A plan of which the rules never come to rest would be a fault of the rules. */
const mostSteps = 100_000

/** Simulates a schedule that is created at `after` and never suspended. The cost follows the number of its slots. */
export function simulate(plan: SimulatedPlan, assumptions: Assumptions): Timeline {
  const { after, until, outage, byHand } = assumptions
  const slots = { ...slotsWithin(plan.slots, { startTime: undefined, endTime: until }), cutBefore: plan.slots.next(until) }
  const world = createWorld({ ...plan, slots, epoch: 1, createdAtMs: after * 1000, suspended: false }, assumptions)
  let nowMs = after * 1000
  for (let steps = 0; steps < mostSteps; steps += 1) {
    const wakeMs = outage !== undefined && isWithin(outage, nowMs) ? outage.until * 1000 : world.lead(nowMs)
    const next = earliestAfter(nowMs, [wakeMs, world.nextEventMs(nowMs), outage && outage.from * 1000])
    if (next === undefined) return { slots: world.stories(), span: { from: after, until: Math.max(until, nowMs / 1000) }, outage, byHand }
    nowMs = next
  }
  throw new RangeError('the rules do not come to rest')
}

function isWithin({ from, until }: Interval, nowMs: number): boolean {
  return nowMs >= from * 1000 && nowMs < until * 1000
}

function earliestAfter(nowMs: number, moments: readonly (number | undefined)[]): number | undefined {
  const later = moments.filter((moment) => moment !== undefined && moment > nowMs && moment < Infinity) as readonly number[]
  return later.length === 0 ? undefined : Math.min(...later)
}

type Run = {
  readonly placedAtMs: number
  readonly startsAtMs: number
  readonly endsAtMs: number
  readonly fails: boolean
  /** It was removed before its start, or cancelled. */
  stoppedAtMs?: number
  isAcknowledged?: true
}

/** A broker and workers in which nothing goes wrong but what is assumed, and a leader that remembers nothing from one moment to the next. */
function createWorld(schedule: SchedulePlan, { after, runOf, byHand }: Assumptions) {
  const runs = new Map<Slot, Run>()
  const stories = new Map<Slot, SlotStory>()
  const isStoppable = !isQueueGeneration(schedule.generation)
  let ledger: Ledger | undefined

  const succeededByHandAtMs = byHand === undefined ? undefined : byHand.until * 1000
  const planAt = (nowMs: number): SchedulePlan =>
    succeededByHandAtMs === undefined || nowMs < succeededByHandAtMs ? schedule : { ...schedule, succeededByHandAtMs }

  const tell = (slot: Slot, more: Partial<SlotStory>): void => void stories.set(slot, { ...stories.get(slot), slot, ...more })

  const place = (slot: Slot, nowMs: number): void => {
    if (runs.has(slot)) return
    const { takesSeconds, startsAfterSeconds = 0, fails = false } = runOf(slot)
    const placedAtMs = Math.max(nowMs, dueAt(schedule, slot) * 1000)
    const startsAtMs = placedAtMs + startsAfterSeconds * 1000
    runs.set(slot, { placedAtMs, startsAtMs, endsAtMs: startsAtMs + takesSeconds * 1000, fails })
  }

  const look = (slot: Slot, nowMs: number): RunObservation => {
    const run = runs.get(slot)
    if (run === undefined || run.stoppedAtMs !== undefined) return { state: 'Absent' }
    if (nowMs >= run.endsAtMs) return { state: 'Ended', startedAtMs: run.startsAtMs }
    if (nowMs >= run.startsAtMs) return { state: 'Active', startedAtMs: run.startsAtMs }
    return { state: 'Waiting', isUntouched: true, isStuck: nowMs - run.placedAtMs >= defaultPendingSeconds * 1000 }
  }

  const stop = (slot: Slot, nowMs: number): void => {
    const run = runs.get(slot)
    if (run !== undefined) run.stoppedAtMs = nowMs
  }

  const cancel = (slot: Slot, nowMs: number): CancelResult => {
    const { state } = look(slot, nowMs)
    if (state === 'Absent' || state === 'Ended') return state
    if (state === 'Active' && !isStoppable) return 'Running'
    stop(slot, nowMs)
    return 'Cancelled'
  }

  const remove = (slot: Slot, nowMs: number): 'Removed' | 'Started' | 'Absent' => {
    const { state } = look(slot, nowMs)
    if (state !== 'Waiting') return state === 'Absent' ? 'Absent' : 'Started'
    stop(slot, nowMs)
    return 'Removed'
  }

  const endsUntil = (nowMs: number): readonly RunOutcome[] =>
    [...runs].flatMap(([slot, run]) => {
      if (run.isAcknowledged === true || run.stoppedAtMs !== undefined || run.endsAtMs > nowMs) return []
      const reason = run.fails ? 'Failed' : 'Succeeded'
      return [{ slot, succeeded: !run.fails, reason, startedAtMs: run.startsAtMs, finishedAtMs: run.endsAtMs }]
    })

  const write = ({ ledger: written, places = [] }: Extract<Step, { readonly kind: 'Write' }>, nowMs: number): void => {
    const changes = findChanges(ledger, written)
    ledger = written
    for (const slot of places) place(slot, nowMs)
    for (const change of changes) {
      if (change.kind === 'Dispatched') tell(change.slot, { dispatchedAt: change.atMs / 1000 })
      if (change.kind === 'RunEnded') {
        const { slot, reason, message } = change.run
        tell(slot, { outcome: { reason, at: nowMs / 1000, ...(message === undefined ? {} : { message }) } })
      }
    }
    // The ledger counts what is missed; which slots these are follows from what it has passed over, in their order.
    const missed = changes.flatMap((change) => (change.kind === 'Missed' ? [change] : [])).toSorted((a, b) => a.lastSlot - b.lastSlot)
    const passed = missed.length === 0 ? [] : passedOver(written)
    // Of very many, the ledger counts the newest only; those before them have the reason of the oldest that it counts.
    let until = passed.length - missed.reduce((sum, { count }) => sum + count, 0)
    let from = 0
    for (const { reason, count } of missed) {
      until += count
      for (const slot of passed.slice(from, until)) tell(slot, { missed: reason })
      from = until
    }
  }

  /** Slots of which nothing is told yet, and which are decided. */
  const passedOver = ({ cursor, open }: Ledger): readonly Slot[] => {
    const isOpen = new Set(open.map(({ slot }) => slot))
    return schedule.slots.between(after, cursor, Infinity).filter((slot) => !isOpen.has(slot) && !stories.has(slot))
  }

  return {
    /** Carries out everything that there is to do at a moment. Returns when there is something to do without an event; undefined: never. */
    lead(nowMs: number): number | undefined {
      const [placed, removed, cancelled] = [
        new Set<Slot>(),
        new Map<Slot, 'Removed' | 'Started' | 'Absent'>(),
        new Map<Slot, CancelResult>(),
      ]
      const looked = new Map<Slot, RunObservation>()
      for (let steps = 0; steps < mostSteps; steps += 1) {
        const knowledge: Knowledge = { placed, refused: new Set(), removed, cancelled, looked, ended: endsUntil(nowMs) }
        const step = nextStep(ledger, planAt(nowMs), knowledge, nowMs)
        switch (step.kind) {
          case 'Wait':
            return step.untilMs
          case 'Write':
            write(step, nowMs)
            break
          case 'Place':
            for (const slot of step.slots) {
              place(slot, nowMs)
              placed.add(slot)
            }
            break
          case 'Remove':
            for (const slot of step.slots) removed.set(slot, remove(slot, nowMs))
            break
          case 'Cancel':
            for (const slot of step.slots) cancelled.set(slot, cancel(slot, nowMs))
            break
          case 'Look':
            for (const slot of step.slots) looked.set(slot, look(slot, nowMs))
            break
          case 'Acknowledge':
            for (const slot of step.slots) {
              const run = runs.get(slot)
              if (run !== undefined) run.isAcknowledged = true
            }
            break
          case 'Follow':
            throw new TypeError('no primitive starts the runs of a simulation')
          case 'Delete':
            throw new TypeError('nothing deletes the schedule of a simulation')
        }
      }
      throw new RangeError('the rules do not come to rest')
    },
    /** When a run starts or ends next. */
    nextEventMs(nowMs: number): number | undefined {
      const moments = [...runs.values()].flatMap(({ startsAtMs, endsAtMs, stoppedAtMs }) =>
        stoppedAtMs === undefined ? [startsAtMs, endsAtMs] : [],
      )
      return earliestAfter(nowMs, [...moments, succeededByHandAtMs])
    },
    /** Without the slots that are not due, because `maxRuns` are dispatched. */
    stories(): readonly SlotStory[] {
      const waiting = ledger === undefined ? [] : waitingSlots(ledger)
      return [...new Set([...stories.keys(), ...runs.keys(), ...waiting])]
        .toSorted((a, b) => a - b)
        .map((slot) => {
          const due = dueAt(schedule, slot)
          return { ...storyOf(slot, runs.get(slot)), ...(due > slot && { dueAt: due }), ...stories.get(slot) }
        })
    },
  }
}

function storyOf(slot: Slot, run: Run | undefined): SlotStory {
  if (run === undefined) return { slot }
  const { startsAtMs, endsAtMs, stoppedAtMs = Infinity } = run
  if (startsAtMs === Infinity || stoppedAtMs <= startsAtMs) return { slot }
  return { slot, startedAt: startsAtMs / 1000, endedAt: Math.min(endsAtMs, stoppedAtMs) / 1000 }
}
