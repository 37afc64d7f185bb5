/**
 * Schedules whose clock a job scheduler of BullMQ owns, in every interleaving of small cases: leaders run the real `nextStep` against a model of
 * the queue. There, a worker that takes the next job makes the one after it, so that slots coalesce while no worker does; a job that is due stays
 * when the scheduler goes. In every reachable state each slot has one run at most, and from each a lone leader comes to rest with every due slot
 * dispatched or missed; after a deletion, with nothing that would still start.
 */
import { describe, expect, test } from 'vitest'
import { explore as exploreWorlds } from '../../test/support/explore.ts'
import type { Slot } from '../contract/index.ts'
import { minute, nothingKnown, planOf, start } from './fixtures.ts'
import type { Knowledge, Ledger, SchedulePlan, Step } from './ledger.ts'
import { nextStep } from './next-step.ts'
import type { Followed } from './primitive.ts'
import { parseTiming, type SlotSource, type Timing } from './timing.ts'

const place = '.scheduler:work'
const own = { timing: { everySeconds: minute }, generation: 'a/work' }
const bull = { timing: { everySeconds: minute, engine: 'BullMQ', schedulerQueue: 'work' } satisfies Timing, generation: 'a/work' }

/** Under the name that Taskmill gives it, or the one that a job scheduler does. One that has not started may still be removed. */
type Job = {
  readonly slot: Slot
  readonly by: 'Taskmill' | 'scheduler'
  readonly state: 'Waiting' | 'Active' | 'Ended'
  readonly isAcked: boolean
}

/** `madeBy`: what it was made from. */
type Scheduler = { readonly next: Slot; readonly timing: Timing; readonly madeBy: string }

type Leader = {
  readonly epoch: number
  readonly seen?: { readonly revision: number; readonly ledger: Ledger | undefined }
  readonly placed: readonly Slot[]
  readonly removed: readonly (readonly [Slot, 'Removed' | 'Started' | 'Absent'])[]
  readonly step?: Step
}

type World = {
  readonly now: Slot
  readonly edits: number
  readonly stored: { readonly revision: number; readonly ledger: Ledger | undefined }
  readonly epoch: number
  readonly jobs: readonly Job[]
  readonly scheduler?: Scheduler | undefined
  readonly leaders: readonly (Leader | undefined)[]
  readonly crashes: number
}

type Scenario = {
  readonly name: string
  readonly until: number
  readonly crashes: number
  readonly isAlone?: true
  readonly plans: readonly Partial<SchedulePlan>[]
}
type Mutation = {
  readonly step?: (step: Step) => Step
  /** As BullMQ's own script does it. */
  readonly dropsDueJob?: true
  /** The slot of its next job counts as settled. */
  readonly settlesTooEarly?: true
}

const beginning = (epoch: number): Leader => ({ epoch, placed: [], removed: [] })
const planAt = ({ plans }: Scenario, edits: number, epoch: number): SchedulePlan => ({ ...planOf({ ...own, ...plans[edits] }), epoch })
const isDeleted = ({ plans }: Scenario): boolean => plans.at(-1)?.deletion !== undefined
const madeBy = ({ timing, generation }: Pick<SchedulePlan, 'timing' | 'generation'>): string => `${generation} ${JSON.stringify(timing)}`

function slotsOf(timing: Timing): SlotSource {
  const parsed = parseTiming(timing)
  if (!parsed.ok) throw new Error(parsed.message)
  return parsed.slots
}

const jobAt = ({ jobs }: World, slot: Slot, by: Job['by']): Job | undefined => jobs.find((job) => job.slot === slot && job.by === by)
const withJob = (world: World, slot: Slot, by: Job['by']): World =>
  jobAt(world, slot, by) ? world : { ...world, jobs: [...world.jobs, { slot, by, state: 'Waiting', isAcked: false }] }
const withState = (world: World, job: Job, state: Job['state']): World => ({
  ...world,
  jobs: world.jobs.map((each) => (each === job ? { ...each, state } : each)),
})

function followedBy(world: World, ledger: Ledger, plan: SchedulePlan, mutation: Mutation): Followed {
  const { scheduler, jobs, now } = world
  const next = scheduler && jobAt(world, scheduler.next, 'scheduler')
  const settled = scheduler && (mutation.settlesTooEarly === true ? scheduler.next : Math.min(scheduler.next - 1, now))
  const settledUntil = Math.max(ledger.cursor, settled ?? ledger.cursor)
  const runs = jobs.filter(({ slot, by }) => by === 'scheduler' && slot > ledger.cursor && slot <= now)
  const isAsWanted = scheduler?.madeBy === madeBy(plan) && next !== undefined && next.state !== 'Ended'
  return {
    state: scheduler === undefined ? 'Absent' : 'Running',
    isInStep: plan.suspended ? scheduler === undefined : isAsWanted,
    runs: runs.map(({ slot }) => ({ slot, generation: `a/${place}`, createdAtMs: slot * 1000 })),
    settledUntil,
    surveyedUntil: settledUntil,
  }
}

function decide(world: World, { seen, epoch, placed, removed }: Leader, scenario: Scenario, mutation: Mutation): Step {
  const ledger = seen?.ledger
  const plan = planAt(scenario, world.edits, epoch)
  if (ledger === undefined && plan.deletion !== undefined) return { kind: 'Wait' }
  const isFollowed = ledger?.timing.engine === 'BullMQ'
  // The end of a slot that is not decided yet waits until its run is recorded.
  const isKnown = ({ slot, by }: Job): boolean =>
    by === 'Taskmill' || slot <= (ledger?.cursor ?? 0) || ledger?.active.some((run) => run.slot === slot) === true
  const ended = world.jobs.filter((job) => job.state === 'Ended' && !job.isAcked && isKnown(job))
  const knowledge: Knowledge = {
    ...nothingKnown,
    placed: new Set(placed),
    removed: new Map(removed),
    ended: ended.map(({ slot }) => ({ slot, succeeded: true, reason: 'Succeeded', finishedAtMs: slot * 1000 })),
    followed: ledger !== undefined && isFollowed ? followedBy(world, ledger, plan, mutation) : undefined,
    present: isFollowed && world.scheduler !== undefined ? ['BullMQ'] : [],
  }
  const step = nextStep(ledger, plan, knowledge, world.now * 1000)
  return mutation.step?.(step) ?? step
}

/** Its next job goes with it, unless that is due or has started. */
function withoutScheduler({ scheduler, ...world }: World, mutation: Mutation): World {
  const isKept = ({ slot, by, state }: Job): boolean =>
    slot !== scheduler?.next || by === 'Taskmill' || state !== 'Waiting' || (slot <= world.now && mutation.dropsDueJob !== true)
  return { ...world, jobs: world.jobs.filter(isKept) }
}

/** As `start` of a job scheduler: the newest slot after `after` that is due comes first, else the next one. */
function withScheduler(world: World, plan: SchedulePlan, after: Slot, mutation: Mutation): World {
  const { now, scheduler } = world
  const former = scheduler && jobAt(world, scheduler.next, 'scheduler')
  if (plan.suspended) return withoutScheduler(world, mutation)
  if (scheduler?.madeBy === madeBy(plan) && former !== undefined && former.state !== 'Ended') return world
  const without = withoutScheduler(world, mutation)
  const nextAfter = (last: Slot): Slot | undefined => plan.slots.between(last, now, 1).at(-1) ?? plan.slots.next(Math.max(last, now))
  let next = nextAfter(after)
  // The job of that slot has run.
  while (next !== undefined && jobAt(without, next, 'scheduler') !== undefined) next = nextAfter(next)
  if (next === undefined) throw new Error('no slot is left')
  return { ...withJob(without, next, 'scheduler'), scheduler: { next, timing: plan.timing, madeBy: madeBy(plan) } }
}

function takeBack(world: World, leader: Leader, slots: readonly Slot[]): readonly [World, Leader['removed']] {
  const generations = new Map(leader.seen?.ledger?.open.map((open) => [open.slot, open.generation]))
  let next = world
  const answers = slots.map((slot) => {
    const job = jobAt(next, slot, generations.get(slot)?.endsWith(place) === true ? 'scheduler' : 'Taskmill')
    if (job === undefined) return [slot, 'Absent'] as const
    if (job.state !== 'Waiting') return [slot, 'Started'] as const
    next = { ...next, jobs: next.jobs.filter((each) => each !== job) }
    return [slot, 'Removed'] as const
  })
  return [next, answers]
}

function carryOut(world: World, at: number, leader: Leader, step: Step, scenario: Scenario, mutation: Mutation): World {
  const put = (changed: World, next: Leader): World => ({ ...changed, leaders: changed.leaders.with(at, next) })
  const { step: _, ...idle } = leader
  const ignorant = beginning(leader.epoch)
  if (leader.epoch < world.epoch) return put(world, ignorant)
  switch (step.kind) {
    case 'Write': {
      const nowMs = world.now * 1000
      const isInWindow = nowMs >= (step.notBeforeMs ?? 0) && nowMs < (step.beforeMs ?? Infinity)
      if (leader.seen?.revision !== world.stored.revision || !isInWindow) return put(world, ignorant)
      const stored = { revision: world.stored.revision + 1, ledger: step.ledger }
      const { places = [] } = step
      let next: World = { ...world, stored }
      for (const slot of places) next = withJob(next, slot, 'Taskmill')
      return put(next, { ...idle, seen: stored, removed: leader.removed.filter(([slot]) => !places.includes(slot)) })
    }
    case 'Delete': {
      if (leader.seen?.revision !== world.stored.revision) return put(world, ignorant)
      const stored = { revision: world.stored.revision + 1, ledger: undefined }
      return put({ ...world, stored }, { ...ignorant, seen: stored })
    }
    case 'Place': {
      let next = world
      // Only the runs of a hand-over are placed without a write.
      for (const slot of step.slots) next = withJob(next, slot, 'scheduler')
      return put(next, {
        ...idle,
        placed: [...leader.placed, ...step.slots],
        removed: leader.removed.filter(([slot]) => !step.slots.includes(slot)),
      })
    }
    case 'Remove': {
      const [next, answers] = takeBack(world, leader, step.slots)
      return put(next, {
        ...idle,
        placed: leader.placed.filter((slot) => !step.slots.includes(slot)),
        removed: [...leader.removed.filter(([slot]) => !step.slots.includes(slot)), ...answers],
      })
    }
    case 'Acknowledge': {
      const isAcked = (job: Job): boolean => job.isAcked || (job.state === 'Ended' && step.slots.includes(job.slot))
      return put({ ...world, jobs: world.jobs.map((job) => ({ ...job, isAcked: isAcked(job) })) }, idle)
    }
    case 'Follow':
      if (step.act === 'Survey') return put(world, idle)
      if (step.act !== 'Start') return put(withoutScheduler(world, mutation), idle)
      return put(withScheduler(world, planAt(scenario, world.edits, leader.epoch), step.after, mutation), idle)
    default:
      throw new Error(`with Allow, nobody asks for ${step.kind}`)
  }
}

/** A worker takes the oldest job that is due, and makes the next one of its scheduler; or it ends a job. */
function movesOfWorkers(world: World): World[] {
  const { jobs, scheduler, now } = world
  const next: World[] = []
  const [due] = jobs.filter(({ state, slot }) => state === 'Waiting' && slot <= now).toSorted((a, b) => a.slot - b.slot)
  if (due !== undefined) {
    const taken = withState(world, due, 'Active')
    const following = scheduler && slotsOf(scheduler.timing).next(now)
    const makesNext = scheduler !== undefined && due.by === 'scheduler' && due.slot === scheduler.next && following !== undefined
    next.push(makesNext ? { ...withJob(taken, following, 'scheduler'), scheduler: { ...scheduler, next: following } } : taken)
  }
  const active = jobs.find(({ state }) => state === 'Active')
  if (active !== undefined) next.push(withState(world, active, 'Ended'))
  return next
}

function successors(world: World, scenario: Scenario, mutation: Mutation): World[] {
  const next = movesOfWorkers(world)
  if (world.now < start + scenario.until * 30) next.push({ ...world, now: world.now + 30 })
  if (world.edits + 1 < scenario.plans.length) next.push({ ...world, edits: world.edits + 1 })
  for (const [at, leader] of world.leaders.entries()) {
    if (leader === undefined) continue
    const put = (changed: Leader): void => void next.push({ ...world, leaders: world.leaders.with(at, changed) })
    if (leader.step !== undefined) next.push(carryOut(world, at, leader, leader.step, scenario, mutation))
    else if (leader.seen === undefined) put({ ...leader, seen: world.stored })
    else {
      const step = decide(world, leader, scenario, mutation)
      if (step.kind !== 'Wait') put({ ...leader, step })
    }
    if (world.crashes < scenario.crashes && leader.seen !== undefined)
      next.push({ ...world, crashes: world.crashes + 1, leaders: world.leaders.with(at, beginning(leader.epoch)) })
  }
  if (world.leaders[1] === undefined && scenario.isAlone !== true)
    next.push({ ...world, epoch: 2, leaders: [world.leaders[0], beginning(2)] })
  return next
}

function doubled({ jobs }: World): string | undefined {
  const begun = jobs.filter(({ state }) => state !== 'Waiting')
  const twice = begun.find((job, index) => begun.findIndex((other) => other.slot === job.slot) !== index)
  return twice === undefined ? undefined : `slot ${twice.slot} runs twice`
}

/** A lone leader and workers, until nothing changes any more. A deletion is not helped by workers: what they would take is what it leaves. */
function settle(world: World, scenario: Scenario, mutation: Mutation): World {
  const hasWorkers = !isDeleted(scenario)
  let current: World = {
    ...world,
    now: hasWorkers ? start + scenario.until * 30 : world.now,
    edits: scenario.plans.length - 1,
    leaders: [undefined, beginning(world.epoch)],
  }
  for (let count = 0; count < 500; count++) {
    const [moved] = hasWorkers ? movesOfWorkers(current) : []
    if (moved !== undefined) {
      current = moved
      continue
    }
    const [, leader = beginning(world.epoch)] = current.leaders
    const informed: Leader = leader.seen === undefined ? { ...leader, seen: current.stored } : leader
    const step = decide(current, informed, scenario, mutation)
    if (step.kind === 'Wait') return current
    current = carryOut({ ...current, leaders: [undefined, informed] }, 1, informed, step, scenario, mutation)
  }
  throw new Error('does not come to rest')
}

function unaccounted({ stored: { ledger }, jobs, scheduler, now }: World, scenario: Scenario): string | undefined {
  const last = scenario.plans.at(-1) ?? {}
  const isFollowed = last.deletion === undefined && last.suspended !== true && last.timing?.engine === 'BullMQ'
  if (!isFollowed && scheduler !== undefined) return 'the job scheduler is still there'
  if (isDeleted(scenario)) {
    const left = jobs.find(({ state }) => state === 'Waiting')
    return left === undefined ? ledger && 'the ledger is still there' : `slot ${left.slot} would still run`
  }
  if (ledger === undefined) return 'there is no ledger'
  const missed = Object.values(ledger.missed).reduce((sum, { count }) => sum + count, 0)
  const ran = jobs.filter(({ slot }) => slot <= now).length
  if (ledger.active.some(({ slot }) => slot <= now)) return 'a run that has ended counts as active'
  if (ledger.dispatched !== ran) return `${ledger.dispatched} dispatched, ${ran} ran`
  const timings = new Set(scenario.plans.map(({ timing }) => timing && 'everySeconds' in timing && timing.everySeconds))
  const decided = Math.max(ledger.cursor, ...ledger.open.flatMap(({ slot, state }) => (state === 'Final' ? [slot] : [])))
  const due = Math.floor((decided - start) / minute)
  return timings.size > 1 || due === ledger.dispatched + missed
    ? undefined
    : `${due} due, ${ledger.dispatched} dispatched, ${missed} missed`
}

function explore(scenario: Scenario, mutation: Mutation = {}): { readonly states: number; readonly problem: string | undefined } {
  const first: World = {
    now: start + 30,
    edits: 0,
    stored: { revision: 0, ledger: undefined },
    epoch: 1,
    jobs: [],
    leaders: [beginning(1), undefined],
    crashes: 0,
  }
  const keyOf = ({ stored, leaders, ...world }: World): string =>
    JSON.stringify({
      ...world,
      ledger: stored.ledger,
      leaders: leaders.map(
        (leader) => leader && { ...leader, seen: leader.seen && [leader.seen.revision === stored.revision, leader.seen.ledger] },
      ),
    })
  const rests = new Map<string, string | undefined>()
  return exploreWorlds(first, {
    keyOf,
    successors: (world) => successors(world, scenario, mutation),
    problemOf(world) {
      const { stored, jobs, scheduler, epoch, now } = world
      const rest = JSON.stringify([stored.ledger, jobs, scheduler, epoch, isDeleted(scenario) && now])
      if (!rests.has(rest)) {
        const settled = settle(world, scenario, mutation)
        rests.set(rest, doubled(settled) ?? unaccounted(settled, scenario))
      }
      return doubled(world) ?? rests.get(rest)
    },
  })
}

const scenarios: readonly Scenario[] = [
  { name: 'a job scheduler from the start', until: 6, crashes: 1, isAlone: true, plans: [bull] },
  { name: 'with a second leader', until: 4, crashes: 0, plans: [bull] },
  { name: 'from Taskmill to a job scheduler', until: 4, crashes: 1, isAlone: true, plans: [own, bull] },
  { name: 'from a job scheduler to Taskmill', until: 4, crashes: 1, isAlone: true, plans: [bull, own] },
  { name: 'from a job scheduler to Taskmill, with a second leader', until: 4, crashes: 0, plans: [bull, own] },
  { name: 'there and back', until: 4, crashes: 0, isAlone: true, plans: [own, bull, own] },
  { name: 'a suspension and its end', until: 4, crashes: 0, isAlone: true, plans: [bull, { ...bull, suspended: true }, bull] },
  { name: 'another template', until: 4, crashes: 1, isAlone: true, plans: [bull, { ...bull, generation: 'b/work' }] },
  {
    name: 'another timing',
    until: 6,
    crashes: 0,
    isAlone: true,
    plans: [bull, { ...bull, timing: { ...bull.timing, everySeconds: 2 * minute } }],
  },
  { name: 'a deletion', until: 4, crashes: 1, isAlone: true, plans: [bull, { ...bull, deletion: 'Delete' }] },
  {
    name: 'a deletion after a change of the engine',
    until: 4,
    crashes: 0,
    isAlone: true,
    plans: [bull, own, { ...own, deletion: 'Delete' }],
  },
]

describe('in every interleaving each slot is dispatched once or missed', () => {
  test.each(scenarios)('$name', (scenario) => {
    const { states, problem } = explore(scenario)
    expect(problem).toBeUndefined()
    expect(states).toBeGreaterThan(100)
  })
})

describe('a planted mistake is found', () => {
  test.each<[string, Mutation, RegExp, string]>([
    ['the job that is due goes with its scheduler', { dropsDueJob: true }, /active|dispatched/u, 'a suspension and its end'],
    ['a slot is settled while its job is to come', { settlesTooEarly: true }, /dispatched|missed/u, 'a job scheduler from the start'],
    [
      'the scheduler may start slots that are decided',
      { step: (step) => (step.kind === 'Follow' && step.act === 'Start' ? { ...step, after: 0 } : step) },
      /twice|dispatched|missed/u,
      'from Taskmill to a job scheduler',
    ],
    [
      'the scheduler goes on beside Taskmill',
      { step: (step) => (step.kind === 'Follow' && step.act === 'Stop' ? { kind: 'Wait' } : step) },
      /still there/u,
      'from a job scheduler to Taskmill',
    ],
    [
      'what has not started stays after the deletion',
      { step: (step) => (step.kind === 'Remove' ? { kind: 'Delete' } : step) },
      /would still run/u,
      'a deletion',
    ],
  ])('%s', (_, mutation, found, among) => {
    const scenario = scenarios.find(({ name }) => name === among)
    if (scenario === undefined) throw new Error(`no scenario ${among}`)
    expect(explore(scenario, mutation).problem).toMatch(found)
  })
})
