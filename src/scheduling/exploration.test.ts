/**
 * The ledger under every interleaving of small cases: two leaders run the real `nextStep` against a model of the broker (compare-and-swap
 * with a fence and a window of time; done jobs, jobs, workers), and may lose their memory after every step, while the schedule is edited,
 * suspended or deleted, jobs start and end, and time passes. All reachable states are visited; in each the rules below hold, and from each a
 * lone leader comes to rest with every slot accounted for.
 */
import { describe, expect, it } from 'vitest'
import { explore as exploreWorlds } from '../../test/support/explore.ts'
import type { Slot } from '../contract/index.ts'
import {
  type CancelResult,
  dueOf,
  hasSameExecutor,
  type Knowledge,
  type Ledger,
  type RunObservation,
  type RunOutcome,
  type SchedulePlan,
  type Step,
} from './ledger.ts'
import { dueUpTo } from './jitter.ts'
import { nextStep } from './next-step.ts'
import { parseTiming } from './timing.ts'

/**
 * `Ready` is in the queue, due or not; a removed job is not there; a `Cancelled` one is not there either, and must not come
 * back. `runs` counts how often a worker has taken it.
 */
type JobModel = {
  readonly state: 'Ready' | 'Running' | 'Ended' | 'Cancelled'
  readonly runs: number
  /** Where a deadline depends on it. */
  readonly startedAt?: Slot
  readonly hasDone: boolean
  readonly generation: string
  /** No worker takes it before, if that is later than its slot. */
  readonly dueAt?: Slot
  /** Something of another kind runs for the slot too. */
  readonly isDoubled?: true
  /** It was due before the timing by which it was placed was adopted. */
  readonly isRetroactive?: true
}

type LeaderModel = {
  readonly epoch: number
  /** What it believes is stored; undefined: it has to read. */
  readonly seen?: { readonly revision: number; readonly ledger: Ledger | undefined }
  readonly placed: readonly Slot[]
  readonly removed: readonly (readonly [Slot, 'Removed' | 'Started' | 'Absent'])[]
  readonly cancelled?: readonly (readonly [Slot, CancelResult])[]
  /** Slots of which the template made nothing. */
  readonly refused?: readonly Slot[]
  /** Lasts for one decision: what an active run is doing changes by itself. */
  readonly looked?: readonly (readonly [Slot, RunObservation])[]
  /** The step that it has decided on and not carried out yet: anything may happen in between. */
  readonly step?: Step
}

type World = {
  readonly nowSlot: Slot
  readonly edits: number
  readonly stored: { readonly revision: number; readonly ledger: Ledger | undefined }
  /** The highest epoch that the broker has seen. */
  readonly epoch: number
  readonly jobs: readonly (readonly [Slot, JobModel])[]
  readonly leaders: readonly (LeaderModel | undefined)[]
  readonly crashes: number
  /** When the last edit of the timing was seen by who adopted it, where all plans have the same slots. */
  readonly adoptedAt?: Slot
}

type Scenario = {
  readonly name: string
  readonly until: Slot
  readonly crashes: number
  /** No second leader comes: that keeps the states few where there are many edits. */
  readonly isAlone?: true
  /** No edit moves a slot: each of them is run or missed, whenever it is edited. */
  readonly hasSameSlots?: true
  /** The plan after each edit; the first holds at the start. */
  readonly plans: readonly Partial<SchedulePlan>[]
  /** Of this slot the template of this generation makes nothing. */
  /** The run of this slot fails. */
  readonly fails?: Slot
  readonly refuses?: { readonly slot: Slot; readonly generation: string }
}

/** What a broken product would do otherwise; each has to be found. */
type Mutation = {
  readonly step?: (step: Step, ledger: Ledger | undefined, world: World, scenario: Scenario) => Step
  readonly unfenced?: true
  readonly blindWrites?: true
  readonly noWindow?: true
  readonly placesAnyway?: true
}

/** Seconds of one step of the model's time: a slot every other step, so that the 90 s ahead hold one or two of them. */
const tick = 30
const everyTwo = { everySeconds: 2 * tick }
/** By the name of the schedule, the runs of the first three slots are due within the step of time after them. */
const delayed = { ...everyTwo, jitterSeconds: tick }

function planOf(scenario: Scenario, edits: number, epoch: number): SchedulePlan {
  const change = scenario.plans[edits] ?? {}
  const timing = change.timing ?? everyTwo
  const parsed = parseTiming(timing)
  if (!parsed.ok) throw new Error(parsed.message)
  return {
    suspended: false,
    concurrencyPolicy: 'Allow',
    missedRuns: 'All',
    missedRunsLimit: 10,
    generation: 'a',
    seed: 'acme/digest',
    createdAtMs: 0,
    ...change,
    timing,
    slots: parsed.slots,
    epoch,
  }
}

const jobOf = (world: World, slot: Slot): JobModel | undefined => world.jobs.find(([each]) => each === slot)?.[1]

function withJob(world: World, slot: Slot, job: JobModel | undefined): World {
  const others = world.jobs.filter(([each]) => each !== slot)
  const jobs = job === undefined ? others : [...others, [slot, job] as const]
  return { ...world, jobs: jobs.toSorted(([a], [b]) => a - b) }
}

const ended = (world: World, { fails }: Scenario): readonly RunOutcome[] =>
  world.jobs
    .filter(([, { state, hasDone }]) => state === 'Ended' && hasDone)
    .map(([slot]) => {
      const succeeded = slot !== fails
      return { slot, succeeded, reason: succeeded ? 'Succeeded' : 'AttemptsExhausted', finishedAtMs: slot * 1000 }
    })

const refusedEnds = (world: World, { refused = [], seen }: LeaderModel): readonly RunOutcome[] =>
  refused
    .filter((slot) => slot <= world.nowSlot && seen?.ledger?.open.some((open) => open.slot === slot))
    .map((slot) => ({ slot, succeeded: false, reason: 'Refused', finishedAtMs: world.nowSlot * 1000 }))

/** A Kubernetes Job that is gone is seen as that by every process but the one that deleted it. */
const vanishedEnds = (world: World, { seen, cancelled = [] }: LeaderModel): readonly RunOutcome[] =>
  (seen?.ledger?.active ?? [])
    .filter(({ slot }) => {
      const job = jobOf(world, slot)
      return job?.state === 'Cancelled' && job.generation.endsWith('/.job') && !cancelled.some(([each]) => each === slot)
    })
    .map(({ slot }) => ({ slot, succeeded: false, reason: 'JobRemoved', finishedAtMs: world.nowSlot * 1000 }))

const isRefused = ({ refuses }: Scenario, slot: Slot, generation: string): boolean =>
  refuses?.slot === slot && refuses.generation === generation

/** Everything that one decision of a leader may depend on. A write that would place a refused slot is asked for again, knowing that. */
function decide(world: World, leader: LeaderModel, scenario: Scenario, mutation: Mutation): Step {
  const step = decideKnowing(world, leader, scenario, mutation)
  const refused = refusedIn(step, scenario, world)
  return refused.length === 0 ? step : decide(world, { ...leader, refused: [...(leader.refused ?? []), ...refused] }, scenario, mutation)
}

const placesOf = (step: Step): readonly Slot[] => (step.kind === 'Write' ? (step.places ?? []) : [])

const makesOf = (step: Step): readonly Slot[] => (step.kind === 'Write' ? [...(step.places ?? []), ...(step.makes ?? [])] : [])

const refusedIn = (step: Step, scenario: Scenario, { edits }: World): readonly Slot[] =>
  makesOf(step).filter((slot) => isRefused(scenario, slot, scenario.plans[edits]?.generation ?? 'a'))

function decideKnowing(world: World, leader: LeaderModel, scenario: Scenario, mutation: Mutation): Step {
  const knowledge: Knowledge = {
    placed: new Set(leader.placed),
    refused: new Set(leader.refused),
    removed: new Map(leader.removed),
    cancelled: new Map(leader.cancelled),
    ended: [...refusedEnds(world, leader), ...ended(world, scenario), ...vanishedEnds(world, leader)],
    looked: new Map(leader.looked),
  }
  const plan = planOf(scenario, world.edits, leader.epoch)
  const step = nextStep(leader.seen?.ledger, plan, knowledge, world.nowSlot * 1000)
  const placed = step.kind === 'Place' ? step.slots : placesOf(step)
  const isStale = placed.some((slot) =>
    leader.seen?.ledger?.open.some((open) => open.slot === slot && open.state === 'Intended' && open.generation !== plan.generation),
  )
  if (isStale) throw new Error('a slot is to be placed by another template than it was intended by')
  return mutation.step?.(step, leader.seen?.ledger, world, scenario) ?? step
}

function lookedAt(job: JobModel | undefined): RunObservation {
  if (job === undefined) return { state: 'Absent', isUntouched: false }
  const state = ({ Ready: 'Waiting', Running: 'Active', Ended: 'Ended', Cancelled: 'Absent' } as const)[job.state]
  return { state, isUntouched: state === 'Waiting', ...(job.startedAt !== undefined && { startedAtMs: job.startedAt * 1000 }) }
}

/** Only a Kubernetes Job can be stopped once it runs. */
function cancelledBy(job: JobModel | undefined): CancelResult {
  if (job === undefined || job.state === 'Cancelled') return 'Absent'
  if (job.state === 'Ended') return job.hasDone ? 'Ended' : 'Absent'
  return job.state === 'Running' && !job.generation.endsWith('/.job') ? 'Running' : 'Cancelled'
}

/** The broker's part of a step, and what the leader learns by it. Every step is one atomic script there. */
function carryOut(world: World, at: number, leader: LeaderModel, step: Step, scenario: Scenario, mutation: Mutation): World {
  const withLeader = (changed: World, next: LeaderModel): World => ({ ...changed, leaders: changed.leaders.with(at, next) })
  const idle: LeaderModel = {
    epoch: leader.epoch,
    placed: leader.placed,
    removed: leader.removed,
    ...(leader.cancelled && { cancelled: leader.cancelled }),
    ...(leader.refused && { refused: leader.refused }),
    ...(leader.seen && { seen: leader.seen }),
  }
  const ignorant: LeaderModel = { epoch: leader.epoch, placed: [], removed: [] }
  const isFenced = leader.epoch < world.epoch && mutation.unfenced !== true
  switch (step.kind) {
    case 'Write':
    case 'Delete': {
      // What a queue would hold if placing were not a part of the write.
      const refusedWorld = mutation.placesAnyway === true && step.kind === 'Write' ? withPlaced(world, placesOf(step), step.ledger) : world
      if (isFenced) return withLeader(refusedWorld, ignorant)
      if (leader.seen?.revision !== world.stored.revision && mutation.blindWrites !== true) return withLeader(refusedWorld, ignorant)
      if (step.kind === 'Write' && mutation.noWindow !== true) {
        const nowMs = world.nowSlot * 1000
        if (nowMs < (step.notBeforeMs ?? -Infinity) || nowMs >= (step.beforeMs ?? Infinity)) return withLeader(world, idle)
      }
      const stored = { revision: world.stored.revision + 1, ledger: step.kind === 'Write' ? step.ledger : undefined }
      const places = placesOf(step)
      const adopted = step.kind === 'Write' &&
        step.what === 'retime' &&
        scenario.hasSameSlots === true && { adoptedAt: (step.notBeforeMs ?? 0) / 1000 }
      const next = withPlaced({ ...world, ...adopted, stored }, places, stored.ledger)
      // What was intended although the template makes nothing of it.
      const intended =
        stored.ledger?.open.filter((open) => open.state === 'Intended' && isRefused(scenario, open.slot, open.generation)) ?? []
      const refused = [...new Set([...(idle.refused ?? []), ...intended.map(({ slot }) => slot)])].toSorted((a, b) => a - b)
      const removed = idle.removed.filter(([slot]) => !places.includes(slot))
      return withLeader(next, { ...idle, seen: stored, removed, ...(refused.length > 0 && { refused }) })
    }
    case 'Place': {
      if (isFenced) return withLeader(world, ignorant)
      const generationOf = (slot: Slot) => leader.seen?.ledger?.open.find((open) => open.slot === slot)?.generation ?? ''
      const refused = step.slots.filter((slot) => isRefused(scenario, slot, generationOf(slot)))
      const accepted = step.slots.filter((slot) => !refused.includes(slot))
      const next = withPlaced(world, accepted, leader.seen?.ledger)
      const removed = leader.removed.filter(([slot]) => !step.slots.includes(slot))
      const placed = [...new Set([...leader.placed, ...accepted])].toSorted((a, b) => a - b)
      return withLeader(next, { ...idle, placed, removed, ...(refused.length > 0 && { refused }) })
    }
    case 'Remove': {
      if (isFenced) return withLeader(world, ignorant)
      let next = world
      const results = step.slots.map((slot) => {
        const job = jobOf(next, slot)
        if (job === undefined || job.state === 'Cancelled') return [slot, 'Absent'] as const
        if (job.state !== 'Ready' || job.runs > 0) return [slot, 'Started'] as const
        next = withJob(next, slot, undefined)
        return [slot, 'Removed'] as const
      })
      const others = leader.removed.filter(([slot]) => !step.slots.includes(slot))
      const placed = leader.placed.filter((slot) => !step.slots.includes(slot))
      return withLeader(next, { ...without(idle, step.slots), placed, removed: [...others, ...results].toSorted(([a], [b]) => a - b) })
    }
    case 'Cancel': {
      if (isFenced) return withLeader(world, ignorant)
      let next = world
      const results = step.slots.map((slot) => {
        const job = jobOf(next, slot)
        const result = cancelledBy(job)
        if (result === 'Cancelled' && job !== undefined) next = withJob(next, slot, { ...job, state: 'Cancelled' })
        return [slot, result] as const
      })
      return withLeader(next, { ...idle, cancelled: results })
    }
    case 'Acknowledge': {
      if (isFenced) return withLeader(world, ignorant)
      let next = world
      for (const slot of step.slots) {
        const job = jobOf(next, slot)
        if (job?.state === 'Ended') next = withJob(next, slot, { ...job, hasDone: false })
      }
      return withLeader(next, without(idle, step.slots))
    }
    case 'Look': {
      const looked = step.slots.map((slot) => [slot, lookedAt(jobOf(world, slot))] as const)
      return withLeader(world, { ...idle, looked })
    }
    default:
      return withLeader(world, idle)
  }
}

/** By the ledger that says so. */
function withPlaced(world: World, slots: readonly Slot[], ledger: Ledger | undefined): World {
  let next = world
  for (const slot of slots) {
    const job = jobOf(next, slot)
    const { generation = '', dueAt } = entryIn(ledger, slot) ?? {}
    const placed: JobModel = { state: 'Ready', runs: 0, hasDone: true, generation, ...(dueAt !== undefined && { dueAt }) }
    const isRetroactive = (dueAt ?? slot) <= (world.adoptedAt ?? -Infinity)
    if (job === undefined) next = withJob(next, slot, isRetroactive ? { ...placed, isRetroactive } : placed)
    else if (job.state === 'Cancelled' || !hasSameExecutor(job.generation, generation)) {
      next = withJob(next, slot, { ...job, isDoubled: true })
    }
  }
  return next
}

const entryIn = (ledger: Ledger | undefined, slot: Slot) =>
  [...(ledger?.open ?? []), ...(ledger?.active ?? [])].find((each) => each.slot === slot)

/** The leader, which forgets that these slots were refused. */
function without({ refused, ...leader }: LeaderModel, slots: readonly Slot[]): LeaderModel {
  const left = refused?.filter((slot) => !slots.includes(slot)) ?? []
  return left.length === 0 ? leader : { ...leader, refused: left }
}

function started(job: JobModel, { nowSlot }: World, { plans }: Scenario): JobModel {
  const isTimed = plans.some(({ runDeadlineSeconds }) => runDeadlineSeconds !== undefined)
  return { ...job, state: 'Running', runs: job.runs + 1, ...(isTimed && { startedAt: nowSlot }) }
}

/** All that may happen next. */
function successors(world: World, scenario: Scenario, mutation: Mutation): World[] {
  const next: World[] = []
  if (world.nowSlot < scenario.until * tick) next.push({ ...world, nowSlot: world.nowSlot + tick })
  if (world.edits + 1 < scenario.plans.length) next.push({ ...world, edits: world.edits + 1 })
  for (const [slot, job] of world.jobs) {
    if (job.state === 'Ready' && dueOf({ slot, ...job }) <= world.nowSlot) next.push(withJob(world, slot, started(job, world, scenario)))
    if (job.state === 'Running') next.push(withJob(world, slot, { ...job, state: 'Ended' }))
  }
  for (const [at, leader] of world.leaders.entries()) {
    if (leader === undefined) continue
    const put = (changed: LeaderModel): void => void next.push({ ...world, leaders: world.leaders.with(at, changed) })
    if (leader.step !== undefined) next.push(carryOut(world, at, leader, leader.step, scenario, mutation))
    else if (leader.seen === undefined) put({ epoch: leader.epoch, placed: [], removed: [], seen: world.stored })
    else {
      const step = decide(world, leader, scenario, mutation)
      if (step.kind !== 'Wait') put({ ...leader, step })
    }
    if (world.crashes < scenario.crashes && (leader.seen !== undefined || leader.step !== undefined)) {
      const lost: LeaderModel = { epoch: leader.epoch, placed: [], removed: [] }
      next.push({ ...world, crashes: world.crashes + 1, leaders: world.leaders.with(at, lost) })
    }
  }
  // A second leader comes, with a higher epoch; the first knows nothing of it.
  if (world.leaders[1] === undefined && scenario.isAlone !== true)
    next.push({ ...world, epoch: 2, leaders: [world.leaders[0], { epoch: 2, placed: [], removed: [] }] })
  return next
}

/** Under all its plans no run may begin before the one before it has ended, or was stopped where that is possible. */
function isOneAtATime({ plans }: Scenario): boolean {
  return plans.every(({ concurrencyPolicy = 'Allow', runDeadlineSeconds, generation = '' }) => {
    const isStoppable = concurrencyPolicy !== 'Replace' || generation.endsWith('/.job')
    return concurrencyPolicy !== 'Allow' && isStoppable && runDeadlineSeconds === undefined
  })
}

/** Nothing else than this slot replaces a run. */
function isLastToReplace({ plans, until }: Scenario, slot: Slot): boolean {
  return plans.every(({ concurrencyPolicy }) => concurrencyPolicy === 'Replace') && slot + 2 * tick > until * tick
}

function broken(world: World, scenario: Scenario): string | undefined {
  for (const [slot, { runs }] of world.jobs) if (runs > 1) return `slot ${slot} ran ${runs} times`
  const most = Math.max(...scenario.plans.map(({ timing }) => timing?.maxRuns ?? Infinity))
  const begun = world.jobs.filter(([, { runs }]) => runs > 0).length
  if (begun > most) return `${begun} slots have run, but maxRuns is ${most}`
  const { refuses } = scenario
  const isForNothing = refuses !== undefined && isLastToReplace(scenario, refuses.slot)
  if (isForNothing && world.jobs.some(([, { state }]) => state === 'Cancelled'))
    return 'a run was cancelled for a slot of which nothing can be made'
  for (const [slot, { isDoubled, isRetroactive }] of world.jobs) {
    if (isDoubled) return `slot ${slot} was placed twice`
    if (isRetroactive) return `slot ${slot} was placed by an edit after its run was due`
  }
  const live = world.jobs.filter(([, { state }]) => state === 'Ready' || state === 'Running').map(([slot]) => slot)
  if (isOneAtATime(scenario) && live.length > 1) return `slots ${live.join(' and ')} have jobs at the same time`
  const { fails } = scenario
  const isUnsettled = fails !== undefined && scenario.plans[world.edits]?.succeededByHandAtMs === undefined
  if (isUnsettled && world.jobs.some(([slot]) => slot > fails)) return `a slot has a job although slot ${fails} before it failed`
  const { ledger } = world.stored
  if (ledger === undefined) return undefined
  const firstWaiting = ledger.open.find(({ state }) => state === 'Waiting')?.slot ?? Infinity
  if (live.some((slot) => slot > firstWaiting)) return `a slot has a job, and slot ${firstWaiting} before it waits`
  for (const { slot, state, generation } of ledger.open) {
    const job = jobOf(world, slot)
    if (state === 'Final' && isRefused(scenario, slot, generation)) continue
    if ((state === 'Placed' || state === 'Final') && job === undefined) return `slot ${slot} is ${state} and has no job`
  }
  for (const [slot, { state }] of world.jobs) {
    const open = ledger.open.find((each) => each.slot === slot)
    if (open === undefined && slot > ledger.cursor && scenario.plans[world.edits]?.deletion === undefined)
      return `slot ${slot} has a job (${state}) that the ledger knows nothing of`
  }
  return undefined
}

/** A lone leader with the highest epoch, and workers that take what is due, until nothing changes any more. */
function settle(world: World, scenario: Scenario, mutation: Mutation): World {
  let current: World = {
    ...world,
    nowSlot: scenario.until * tick,
    edits: scenario.plans.length - 1,
    leaders: [undefined, { epoch: world.epoch, placed: [], removed: [] }],
  }
  for (let steps = 0; steps < 500; steps++) {
    const job = current.jobs.find(
      ([slot, each]) => each.state === 'Running' || (each.state === 'Ready' && dueOf({ slot, ...each }) <= current.nowSlot),
    )
    if (job !== undefined) {
      const [slot, model] = job
      current = withJob(current, slot, model.state === 'Running' ? { ...model, state: 'Ended' } : started(model, current, scenario))
      continue
    }
    const leader = current.leaders[1]
    if (leader === undefined) throw new Error('no leader')
    const informed: LeaderModel = leader.seen === undefined ? { ...leader, seen: current.stored } : leader
    const step = decide(current, informed, scenario, mutation)
    if (step.kind === 'Wait' || (step.kind === 'Delete' && current.stored.ledger === undefined)) return current
    current = carryOut({ ...current, leaders: [undefined, informed] }, 1, informed, step, scenario, mutation)
  }
  throw new Error('does not come to rest')
}

/** What is wrong with a world at rest. */
function unaccounted(world: World, scenario: Scenario): string | undefined {
  const { ledger } = world.stored
  const last = scenario.plans.at(-1)
  if (last?.deletion === 'Delete') {
    if (ledger !== undefined) return 'the ledger is still there'
    const left = world.jobs.find(([, { state }]) => state === 'Ready')
    return left === undefined ? undefined : `the job of slot ${left[0]} is still there`
  }
  if (ledger === undefined) return 'there is no ledger'
  const ran = world.jobs.filter(([, { runs, state }]) => runs === 1 || state === 'Cancelled').length
  // One slot at most is refused, and then it is the only one that fails so.
  const refused = ledger.lastFailure?.reason === 'Refused' ? 1 : 0
  if (ledger.dispatched !== ran + refused) return `${ledger.dispatched} dispatched, ${ran} ran, ${refused} refused`
  if (ledger.lastFailure?.reason === 'JobRemoved') return 'a run that the schedule cancelled counts as removed by someone'
  if (ledger.active.length > 0 && ledger.active.some((run) => dueOf(run) <= world.nowSlot)) return 'a run that has ended counts as active'
  if (ledger.open.some((open) => dueOf(open) <= world.nowSlot && open.state !== 'Final')) return 'a due slot is open'
  const missed = Object.values(ledger.missed).reduce((sum, { count }) => sum + count, 0)
  const isEdited = scenario.plans.length > 1 && scenario.hasSameSlots !== true && !scenario.plans.some(({ isHeld }) => isHeld)
  const plan = planOf(scenario, world.edits, world.epoch)
  const due = Math.min(plan.slots.between(0, dueUpTo(plan, world.nowSlot), 100).length, plan.timing.maxRuns ?? Infinity)
  if (!isEdited && ran + refused + missed !== due) return `${due} due, ${ran} ran, ${refused} refused, ${missed} missed`
  return undefined
}

function explore(scenario: Scenario, mutation: Mutation = {}): { readonly states: number; readonly problem: string | undefined } {
  const start: World = {
    nowSlot: tick,
    edits: 0,
    stored: { revision: 0, ledger: undefined },
    epoch: 1,
    jobs: [],
    leaders: [{ epoch: 1, placed: [], removed: [] }, undefined],
    crashes: 0,
  }
  // Revisions only have to differ where a leader compares them: what is behind is behind.
  const keyOf = (world: World): string =>
    JSON.stringify({
      ...world,
      stored: world.stored.ledger,
      leaders: world.leaders.map(
        (leader) =>
          leader && {
            ...leader,
            seen: leader.seen && { isCurrent: leader.seen.revision === world.stored.revision, ledger: leader.seen.ledger },
          },
      ),
    })
  const settled = new Map<string, string | undefined>()
  return exploreWorlds(start, {
    keyOf,
    successors: (world) => successors(world, scenario, mutation),
    problemOf: (world) => broken(world, scenario) ?? restProblem(world, scenario, mutation, settled),
  })
}

/** The way to rest depends on the broker alone, so that it is looked for once per state of the broker. */
function restProblem(world: World, scenario: Scenario, mutation: Mutation, settled: Map<string, string | undefined>): string | undefined {
  const key = JSON.stringify([world.stored.ledger, world.jobs, world.epoch])
  if (!settled.has(key)) {
    let problem: string | undefined
    try {
      const rest = settle(world, scenario, mutation)
      problem = broken(rest, scenario) ?? unaccounted(rest, scenario)
    } catch (error) {
      problem = String(error)
    }
    settled.set(key, problem)
  }
  return settled.get(key)
}

const scenarios: readonly Scenario[] = [
  { name: 'one slot placed ahead', until: 3, crashes: 2, plans: [{}] },
  { name: 'one slot decided when it is due', until: 3, crashes: 2, plans: [{ concurrencyPolicy: 'Forbid' }] },
  { name: 'two slots, of which the second may overlap', until: 4, crashes: 1, plans: [{ concurrencyPolicy: 'Forbid' }] },
  { name: 'revoked by an edit of the template, racing with the start', until: 2, crashes: 1, plans: [{}, { generation: 'b' }] },
  { name: 'a graph, decided when it is due', until: 3, crashes: 2, plans: [{ generation: 'a/.execution' }] },
  { name: 'placed ahead as a job, then a graph', until: 2, crashes: 1, plans: [{}, { generation: 'b/.execution' }] },
  { name: 'a graph, then a task', until: 3, crashes: 0, plans: [{ generation: 'a/.execution' }, { generation: 'b/work' }] },
  { name: 'held, then released', until: 3, crashes: 0, plans: [{}, { isHeld: true }, {}] },
  {
    name: 'a graph that is missing at first',
    until: 3,
    crashes: 1,
    plans: [{ generation: 'a/.execution', isHeld: true }, { generation: 'a/.execution' }],
  },
  { name: 'suspended, racing with the start', until: 2, crashes: 1, plans: [{}, { suspended: true }] },
  { name: 'suspended and resumed', until: 3, crashes: 0, plans: [{}, { suspended: true }, {}] },
  { name: 'another timing', until: 2, crashes: 0, plans: [{}, { timing: { everySeconds: 3 * tick } }] },
  { name: 'one run at most', until: 4, crashes: 1, plans: [{ timing: { ...everyTwo, maxRuns: 1 } }] },
  {
    name: 'one run at most, then two',
    until: 4,
    crashes: 0,
    plans: [
      { timing: { ...everyTwo, maxRuns: 1 }, generation: 'a/.job' },
      { timing: { ...everyTwo, maxRuns: 2 }, generation: 'a/.job' },
    ],
  },
  {
    name: 'two runs at most, of which one waits',
    until: 6,
    crashes: 0,
    plans: [{ timing: { ...everyTwo, maxRuns: 2 }, concurrencyPolicy: 'Queue' }],
  },
  {
    name: 'a template that makes nothing of one slot',
    until: 3,
    crashes: 1,
    plans: [{}],
    refuses: { slot: 2 * tick, generation: 'a' },
  },
  {
    name: 'a template that makes nothing of one slot, and an edit that helps',
    until: 3,
    crashes: 1,
    plans: [{}, { generation: 'b' }],
    refuses: { slot: 2 * tick, generation: 'a' },
  },
  {
    name: 'a run that waits while its template is edited, racing with the start',
    until: 2,
    crashes: 1,
    plans: [{ concurrencyPolicy: 'Forbid' }, { concurrencyPolicy: 'Forbid', generation: 'b' }],
  },
  {
    name: 'a Job that waits while its template is edited',
    until: 2,
    crashes: 1,
    plans: [{ generation: 'a/.job' }, { generation: 'b/.job' }],
  },
  {
    name: 'a Job that waits, then a task',
    until: 2,
    crashes: 0,
    plans: [
      { concurrencyPolicy: 'Forbid', generation: 'a/.job' },
      { concurrencyPolicy: 'Forbid', generation: 'b/work' },
    ],
  },
  {
    name: 'suspended while a run starts anew',
    until: 2,
    crashes: 0,
    plans: [{ generation: 'a/.job' }, { generation: 'b/.job' }, { generation: 'b/.job', suspended: true }],
  },
  {
    name: 'edited again while a run starts anew',
    until: 2,
    crashes: 0,
    plans: [{ generation: 'a/.job' }, { generation: 'b/.job' }, { generation: 'c/.job' }],
  },
  {
    name: 'deleted while a run starts anew',
    until: 2,
    crashes: 0,
    plans: [{ generation: 'a/.job' }, { generation: 'b/.job' }, { deletion: 'Delete' }],
  },
  {
    name: 'a Kubernetes Job that is cancelled at its deadline',
    until: 3,
    crashes: 1,
    plans: [{ concurrencyPolicy: 'Forbid', generation: 'a/.job', runDeadlineSeconds: tick, onDeadline: 'Cancel' }],
  },
  {
    name: 'a job in a worker that cannot be cancelled at its deadline',
    until: 3,
    crashes: 1,
    plans: [{ concurrencyPolicy: 'Forbid', runDeadlineSeconds: tick, onDeadline: 'Cancel' }],
  },
  {
    name: 'a Kubernetes Job that the next one replaces',
    until: 4,
    crashes: 1,
    plans: [{ concurrencyPolicy: 'Replace', missedRuns: 'Latest', generation: 'a/.job' }],
  },
  {
    name: 'a job that the next one replaces, unless a worker has it',
    until: 4,
    crashes: 1,
    isAlone: true,
    plans: [{ concurrencyPolicy: 'Replace', missedRuns: 'Latest' }],
  },
  {
    name: 'a Kubernetes Job that the next one would replace, if the template made anything of it',
    until: 4,
    crashes: 1,
    isAlone: true,
    plans: [{ concurrencyPolicy: 'Replace', missedRuns: 'Latest', generation: 'a/.job' }],
    refuses: { slot: 4 * tick, generation: 'a/.job' },
  },
  {
    name: 'suspended while a run is replaced',
    until: 4,
    crashes: 1,
    isAlone: true,
    plans: [
      { concurrencyPolicy: 'Replace', missedRuns: 'Latest', generation: 'a/.job' },
      { concurrencyPolicy: 'Replace', missedRuns: 'Latest', generation: 'a/.job', suspended: true },
    ],
  },
  {
    name: 'edited while a run is replaced',
    until: 4,
    crashes: 1,
    isAlone: true,
    plans: [
      { concurrencyPolicy: 'Replace', missedRuns: 'Latest', generation: 'a/.job' },
      { concurrencyPolicy: 'Replace', missedRuns: 'Latest', generation: 'b/.job' },
    ],
  },
  {
    name: 'another policy while a run is replaced',
    until: 4,
    crashes: 1,
    isAlone: true,
    plans: [
      { concurrencyPolicy: 'Replace', missedRuns: 'Latest', generation: 'a/.job' },
      { concurrencyPolicy: 'Forbid', missedRuns: 'Latest', generation: 'a/.job' },
    ],
  },
  {
    name: 'placed ahead, then replaced',
    until: 4,
    crashes: 1,
    isAlone: true,
    plans: [{ missedRuns: 'Latest' }, { concurrencyPolicy: 'Replace', missedRuns: 'Latest' }],
  },
  {
    name: 'slots that wait for the success of the one before',
    until: 6,
    crashes: 1,
    isAlone: true,
    fails: 2 * tick,
    plans: [
      { concurrencyPolicy: 'Queue', dependsOnPast: true },
      { concurrencyPolicy: 'Queue', dependsOnPast: true, succeededByHandAtMs: 3 * tick * 1000 },
    ],
  },
  { name: 'slots that wait in order', until: 4, crashes: 1, plans: [{ concurrencyPolicy: 'Queue' }] },
  {
    name: 'Kubernetes Jobs that wait in order',
    until: 4,
    crashes: 1,
    plans: [{ concurrencyPolicy: 'Queue', generation: 'a/.job' }],
  },
  { name: 'more slots than may wait', until: 6, crashes: 1, isAlone: true, plans: [{ concurrencyPolicy: 'Queue', queueLimit: 1 }] },
  {
    name: 'slots that wait, and are too late',
    until: 6,
    crashes: 1,
    isAlone: true,
    plans: [{ concurrencyPolicy: 'Queue', startingDeadlineSeconds: 2 * tick }],
  },
  {
    name: 'suspended while a slot waits',
    until: 4,
    crashes: 1,
    isAlone: true,
    plans: [{ concurrencyPolicy: 'Queue' }, { concurrencyPolicy: 'Queue', suspended: true }],
  },
  {
    name: 'another timing while a slot waits',
    until: 4,
    crashes: 1,
    isAlone: true,
    plans: [{ concurrencyPolicy: 'Queue' }, { concurrencyPolicy: 'Queue', timing: { everySeconds: 3 * tick } }],
  },
  {
    name: 'another policy while a slot waits',
    until: 4,
    crashes: 1,
    isAlone: true,
    plans: [{ concurrencyPolicy: 'Queue' }, { concurrencyPolicy: 'Forbid' }],
  },
  {
    name: 'another template while a slot waits',
    until: 4,
    crashes: 1,
    isAlone: true,
    plans: [{ concurrencyPolicy: 'Queue' }, { concurrencyPolicy: 'Queue', generation: 'b' }],
  },
  {
    name: 'deleted while a slot waits',
    until: 4,
    crashes: 1,
    isAlone: true,
    plans: [{ concurrencyPolicy: 'Queue' }, { concurrencyPolicy: 'Queue', deletion: 'Delete' }],
  },
  { name: 'deleted, racing with the start', until: 2, crashes: 1, plans: [{}, { deletion: 'Delete' }] },
  { name: 'a delayed run, placed ahead', until: 3, crashes: 2, plans: [{ timing: delayed }] },
  { name: 'a delayed run, decided when it is due', until: 5, crashes: 1, plans: [{ timing: delayed, concurrencyPolicy: 'Forbid' }] },
  { name: 'a delayed graph', until: 3, crashes: 2, plans: [{ timing: delayed, generation: 'a/.execution' }] },
  {
    name: 'a delay that is taken away, placed ahead',
    until: 3,
    crashes: 1,
    isAlone: true,
    hasSameSlots: true,
    plans: [{ timing: delayed }, { timing: everyTwo }],
  },
  {
    name: 'a delay that is taken away and comes back, decided when it is due',
    until: 5,
    crashes: 1,
    isAlone: true,
    hasSameSlots: true,
    plans: [
      { timing: delayed, concurrencyPolicy: 'Forbid' },
      { timing: everyTwo, concurrencyPolicy: 'Forbid' },
      { timing: delayed, concurrencyPolicy: 'Forbid' },
    ],
  },
  {
    name: 'a delay that is added, placed ahead',
    until: 3,
    crashes: 1,
    isAlone: true,
    hasSameSlots: true,
    plans: [{ timing: everyTwo }, { timing: delayed }],
  },
  {
    name: 'a delayed Job, suspended and resumed before it is due',
    until: 5,
    crashes: 1,
    isAlone: true,
    hasSameSlots: true,
    plans: [
      { timing: delayed, generation: 'a/.job' },
      { timing: delayed, generation: 'a/.job', suspended: true },
      { timing: delayed, generation: 'a/.job' },
    ],
  },
  {
    name: 'a delayed run whose template is edited before it is due',
    until: 3,
    crashes: 1,
    isAlone: true,
    hasSameSlots: true,
    plans: [{ timing: delayed }, { timing: delayed, generation: 'b' }],
  },
]

describe('every interleaving', () => {
  it.each(scenarios)(
    '$name',
    (scenario) => {
      const { states, problem } = explore(scenario)
      process.stdout.write(`${scenario.name}: ${states} states\n`)
      expect(problem).toBeUndefined()
    },
    120_000,
  )
})

const asWritten = (step: Step, change: (ledger: Ledger) => Ledger): Step =>
  step.kind === 'Write' ? { ...step, ledger: change(step.ledger) } : step

/** `among`: where the mistake can show, if it needs a scenario of its own. */
const mutations: Readonly<Record<string, { readonly mutation: Mutation; readonly found: RegExp; readonly among?: RegExp }>> = {
  'writes are not fenced and not compared': { mutation: { unfenced: true, blindWrites: true }, found: /./u },
  'a former leader is not fenced': { mutation: { unfenced: true }, found: /./u },
  'jobs are placed before the intent is written': {
    mutation: {
      step: (step, ledger, world) => {
        const slots =
          step.kind === 'Write' && step.what === 'intend'
            ? step.ledger.open.filter(({ state }) => state === 'Intended').map(({ slot }) => slot)
            : []
        return slots.some((slot) => jobOf(world, slot) === undefined) && ledger !== undefined ? { kind: 'Place', slots } : step
      },
    },
    found: /./u,
  },
  'placed is written without placing': {
    mutation: {
      step: (step, ledger) =>
        step.kind === 'Place' && ledger !== undefined
          ? {
              kind: 'Write',
              what: 'placed',
              ledger: { ...ledger, open: ledger.open.map((open) => ({ ...open, state: 'Placed' as const })) },
            }
          : step,
    },
    found: /dispatched, .* ran/u,
  },
  'a dispatch is written without its jobs': {
    mutation: {
      step: (step) => {
        if (step.kind !== 'Write') return step
        const { places: _, ...write } = step
        return write
      },
    },
    found: /has no job/u,
    among: /placed ahead/u,
  },
  'jobs are placed although the write is refused': {
    mutation: { placesAnyway: true },
    found: /./u,
    among: /placed ahead/u,
  },
  'the cursor moves before the slot is final': {
    mutation: { step: (step) => asWritten(step, (ledger) => ({ ...ledger, cursor: ledger.cursor + 2 * tick })) },
    found: /./u,
  },
  'jobs are taken back without Revoking': {
    mutation: {
      step: (step) =>
        step.kind === 'Write' && step.what === 'revoke' ? { kind: 'Remove', slots: step.ledger.open.map(({ slot }) => slot) } : step,
    },
    found: /./u,
  },
  'an end is acknowledged before it is recorded': {
    mutation: {
      step: (step, _, world, scenario) =>
        step.kind === 'Write' && step.what === 'record'
          ? { kind: 'Acknowledge', slots: ended(world, scenario).map(({ slot }) => slot) }
          : step,
    },
    found: /counts as active|due/u,
  },
  'a refused slot counts as placed': {
    mutation: {
      step: (step, ledger) => {
        if (step.kind !== 'Wait' || ledger === undefined || !ledger.open.some(({ state }) => state === 'Intended')) return step
        const open = ledger.open.map((each) => (each.state === 'Intended' ? { ...each, state: 'Placed' as const } : each))
        return { kind: 'Write', what: 'placed', ledger: { ...ledger, open } }
      },
    },
    found: /has no job/u,
    among: /makes nothing of one slot/u,
  },
  'a run that is to start anew is only taken back': {
    mutation: {
      step: (step) =>
        step.kind === 'Write' && step.what === 'taken back'
          ? asWritten(step, (ledger) => {
              const again = ledger.open.filter(({ restarts }) => restarts === true).map(({ slot }) => slot)
              return {
                ...ledger,
                open: ledger.open.filter(({ slot }) => !again.includes(slot)),
                active: ledger.active.filter(({ slot }) => !again.includes(slot)),
              }
            })
          : step,
    },
    found: /dispatched, .* ran/u,
    among: /while its template is edited/u,
  },
  'a run starts before the one that it replaces is cancelled': {
    mutation: {
      step: (step, ledger, world) =>
        step.kind === 'Write' && step.what === 'cancel' && ledger !== undefined
          ? {
              kind: 'Write',
              what: 'intend',
              ledger: {
                ...ledger,
                open: [...ledger.open, { slot: world.nowSlot, state: 'Intended', generation: 'a/.job', epoch: world.epoch }],
                active: [...ledger.active, { slot: world.nowSlot, generation: 'a/.job', dispatchedAtMs: 0 }],
              },
            }
          : step,
    },
    found: /at the same time/u,
    among: /Job that the next one replaces/u,
  },
  'a run is replaced before anybody knows whether something can be made of the slot': {
    mutation: {
      step: (step) => {
        if (step.kind !== 'Write') return step
        const { makes: _, ...write } = step
        return write
      },
    },
    found: /of which nothing can be made/u,
    among: /if the template made anything/u,
  },
  'a slot overtakes one that waits': {
    mutation: {
      step: (step) => {
        const [next] = placesOf(step)
        const waiting = step.kind === 'Write' ? step.ledger.open.find(({ state }) => state === 'Waiting')?.slot : undefined
        if (next === undefined || waiting === undefined) return step
        const swap = <T extends { readonly slot: Slot }>(each: T): T => {
          if (each.slot === next) return { ...each, slot: waiting }
          return each.slot === waiting ? { ...each, slot: next } : each
        }
        const inOrder = <T extends { readonly slot: Slot }>(list: readonly T[]) => list.map(swap).toSorted((a, b) => a.slot - b.slot)
        const swapped = asWritten(step, (ledger) => ({ ...ledger, open: inOrder(ledger.open), active: inOrder(ledger.active) }))
        return { ...swapped, places: [waiting] }
      },
    },
    found: /before it waits/u,
    among: /are too late/u,
  },
  'a slot starts after a failure': {
    mutation: { step: (step) => asWritten(step, (ledger) => ({ ...ledger, settledAtMs: Infinity })) },
    found: /before it failed/u,
    among: /success of the one before/u,
  },
  'a slot that waits is forgotten': {
    mutation: {
      step: (step) => asWritten(step, (ledger) => ({ ...ledger, open: ledger.open.filter(({ state }) => state !== 'Waiting') })),
    },
    found: /due, .* ran/u,
    among: /wait in order/u,
  },
  'a slot starts while a run is active': {
    mutation: {
      step: (step) =>
        asWritten(step, (ledger) => ({
          ...ledger,
          open: ledger.open.map((open) => (open.state === 'Waiting' ? { ...open, state: 'Intended' as const } : open)),
          active: [
            ...ledger.active,
            ...ledger.open
              .filter(({ state }) => state === 'Waiting')
              .map(({ slot, generation }) => ({ slot, generation, dispatchedAtMs: 0 })),
          ].toSorted((a, b) => a.slot - b.slot),
        })),
    },
    found: /at the same time/u,
    among: /wait in order/u,
  },
  'a run is cancelled before that is recorded': {
    mutation: {
      step: (step) =>
        step.kind === 'Write' && step.what === 'cancel'
          ? { kind: 'Cancel', slots: step.ledger.active.filter(({ ending }) => ending !== undefined).map(({ slot }) => slot) }
          : step,
    },
    found: /counts as removed by someone/u,
    among: /is cancelled at its deadline/u,
  },
  'jobs that are placed ahead do not count for maxRuns': {
    mutation: {
      step: (step, ledger) => {
        const slots = ledger?.open.map(({ slot }) => slot) ?? []
        if (step.kind !== 'Wait' || ledger === undefined || slots.length === 0) return step
        const ahead = { slot: Math.max(...slots) + 2 * tick, state: 'Intended', generation: 'a', epoch: 1 } as const
        if (ahead.slot > 4 * tick) return step
        const active = { slot: ahead.slot, generation: 'a', dispatchedAtMs: ahead.slot * 1000 }
        return { kind: 'Write', what: 'intend', ledger: { ...ledger, open: [...ledger.open, ahead], active: [...ledger.active, active] } }
      },
    },
    found: /maxRuns is 1/u,
    among: /one run at most$/u,
  },
  'an edit fires what was due before it': {
    mutation: {
      step: (step, before) =>
        step.kind === 'Write' && step.what === 'retime'
          ? asWritten(step, (ledger) => ({ ...ledger, cursor: before?.cursor ?? ledger.cursor, missed: before?.missed ?? {} }))
          : step,
    },
    found: /by an edit after its run was due/u,
    among: /a delay that is taken away/u,
  },
  'an edit forgets a delayed slot': {
    mutation: {
      step: (step, before, { nowSlot }) =>
        step.kind === 'Write' && step.what === 'retime'
          ? asWritten(step, (ledger) => ({ ...ledger, cursor: nowSlot, missed: before?.missed ?? {} }))
          : step,
    },
    found: /due, .* ran/u,
    among: /a delay that is taken away/u,
  },
  'a started job counts as taken back': {
    mutation: {
      step: (step) =>
        step.kind === 'Write' && step.what === 'taken back'
          ? asWritten(step, (ledger) => ({ ...ledger, dispatched: 0, open: [], active: [] }))
          : step,
    },
    found: /./u,
  },
}

describe('a planted mistake is found', () => {
  it.each(Object.entries(mutations))('%s', (_, { mutation, found, among = /^/u }) => {
    let problem: string | undefined
    for (const scenario of scenarios.filter(({ name }) => among.test(name))) problem ??= explore(scenario, mutation).problem
    expect(problem).toMatch(found)
  })
})
