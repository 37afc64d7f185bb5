/**
 * Two schedules of one concurrency group with limit 1, under every interleaving of small cases: leaders run the real `nextStep` for both of them
 * against a model of the broker, whose one script fences, compares, keeps the limit, and writes ledger, group and jobs together. Leaders lose
 * their memory after every step, a second one comes, schedules are edited and deleted, and what a process believes about the room may be wrong
 * at any time. All reachable states are visited; in each the rules below hold, and from each a lone leader comes to rest with every slot run.
 */
import { describe, expect, it } from 'vitest'
import { explore as exploreWorlds } from '../../test/support/explore.ts'
import type { Slot } from '../contract/index.ts'
import { groupChangeOf } from './group.ts'
import type { Knowledge, Ledger, RunOutcome, SchedulePlan, Step } from './ledger.ts'
import { nextStep } from './next-step.ts'
import { planOf as basePlan } from './fixtures.ts'

type Job = { readonly state: 'Ready' | 'Running' | 'Ended'; readonly runs: number; readonly hasDone: boolean }

/** What a leader knows of one schedule. */
type View = {
  readonly seen?: { readonly revision: number; readonly ledger: Ledger | undefined }
  readonly placed: readonly Slot[]
  readonly removed: readonly (readonly [Slot, 'Removed' | 'Started' | 'Absent'])[]
  /** It believes, rightly or not, that there is no room. */
  readonly isFull?: true
  /** Decided and not carried out yet: anything may happen in between. */
  readonly step?: Step
}
type Leader = { readonly epoch: number; readonly views: readonly View[] }

type Schedule = {
  readonly stored: { readonly revision: number; readonly ledger: Ledger | undefined }
  readonly jobs: readonly (readonly [Slot, Job])[]
}

type World = {
  readonly nowSlot: Slot
  readonly edits: number
  readonly epoch: number
  readonly schedules: readonly Schedule[]
  /** The broker's hash: active runs by schedule. */
  readonly group: readonly (readonly [number, number])[]
  readonly leaders: readonly (Leader | undefined)[]
  readonly crashes: number
}

type Scenario = {
  readonly name: string
  readonly until: number
  readonly crashes: number
  readonly isAlone?: true
  /** No process is wrong about the room, which keeps the states few. */
  readonly isSure?: true
  /** After each edit, what both schedules ask for: an own change for each. */
  readonly plans: readonly (readonly [Partial<SchedulePlan>, Partial<SchedulePlan>])[]
}

type Mutation = {
  readonly unfenced?: true
  /** The limit is compared with what the leader believes, before the write. */
  readonly limitOutside?: true
  readonly keepsEnded?: true
  readonly keepsDeleted?: true
}

const tick = 30
const limit = 1
const schedules = [0, 1] as const
const nothing: View = { placed: [], removed: [] }

const planOf = ({ plans }: Scenario, { edits }: World, of: number, epoch: number): SchedulePlan =>
  basePlan({
    timing: { everySeconds: 2 * tick },
    concurrencyPolicy: 'Queue',
    missedRuns: 'All',
    group: { name: 'g', limit },
    createdAtMs: 0,
    ...plans[edits]?.[of],
    epoch,
  })

const scheduleAt = ({ schedules: all }: World, of: number): Schedule => {
  const found = all[of]
  if (found === undefined) throw new Error(`no schedule ${of}`)
  return found
}
const jobOf = (world: World, of: number, slot: Slot): Job | undefined => scheduleAt(world, of).jobs.find(([each]) => each === slot)?.[1]

function withJob(world: World, of: number, slot: Slot, job: Job | undefined): World {
  const { jobs, ...rest } = scheduleAt(world, of)
  const others = jobs.filter(([each]) => each !== slot)
  const next = job === undefined ? others : [...others, [slot, job] as const].toSorted(([a], [b]) => a - b)
  return { ...world, schedules: world.schedules.with(of, { ...rest, jobs: next }) }
}

const endsOf = (world: World, of: number): readonly RunOutcome[] =>
  scheduleAt(world, of)
    .jobs.filter(([, { state, hasDone }]) => state === 'Ended' && hasDone)
    .map(([slot]) => ({ slot, succeeded: true, reason: 'Succeeded', finishedAtMs: slot * 1000 }))

function decide(world: World, of: number, { epoch }: Leader, view: View, scenario: Scenario): Step {
  const looked = (view.seen?.ledger?.active ?? []).map(({ slot }) => {
    const state = ({ Ready: 'Waiting', Running: 'Active', Ended: 'Ended' } as const)[jobOf(world, of, slot)?.state ?? 'Ended']
    return [slot, { state, isUntouched: state === 'Waiting' }] as const
  })
  const knowledge: Knowledge = {
    placed: new Set(view.placed),
    refused: new Set(),
    removed: new Map(view.removed),
    cancelled: new Map(),
    ended: endsOf(world, of),
    looked: new Map(looked),
    isGroupFull: view.isFull,
  }
  return nextStep(view.seen?.ledger, planOf(scenario, world, of, epoch), knowledge, world.nowSlot * 1000)
}

const runsOf = (group: World['group'], except: number): number =>
  group.filter(([of]) => of !== except).reduce((sum, [, runs]) => sum + runs, 0)

/** The broker's part of a step, and what the leader learns by it. */
function carryOut(world: World, at: number, of: number, leader: Leader, step: Step, scenario: Scenario, mutation: Mutation): World {
  const view = leader.views[of] ?? nothing
  const { step: _, ...idle } = view
  const put = (changed: World, next: View): World => ({
    ...changed,
    leaders: changed.leaders.with(at, { ...leader, views: leader.views.with(of, next) }),
  })
  if (step.kind === 'Wait') return put(world, idle)
  if (leader.epoch < world.epoch && mutation.unfenced !== true) return put(world, nothing)
  let next = world
  switch (step.kind) {
    case 'Write':
    case 'Delete': {
      const { stored, jobs } = scheduleAt(world, of)
      if (view.seen?.revision !== stored.revision) return put(world, nothing)
      if (step.kind === 'Write') {
        const nowMs = world.nowSlot * 1000
        if (nowMs < (step.notBeforeMs ?? -Infinity) || nowMs >= (step.beforeMs ?? Infinity)) return put(world, idle)
      }
      const ledger = step.kind === 'Write' ? step.ledger : undefined
      const change = groupChangeOf(stored.ledger, ledger, planOf(scenario, world, of, leader.epoch))
      const isFull = change?.limit !== undefined && runsOf(world.group, of) + change.runs > change.limit
      if (isFull && mutation.limitOutside !== true) return put(world, { ...idle, isFull: true })
      const written = { revision: stored.revision + 1, ledger }
      const others = world.group.filter(([each]) => each !== of)
      const isKept = (mutation.keepsEnded === true && step.kind === 'Write') || (mutation.keepsDeleted === true && step.kind === 'Delete')
      if (change !== undefined && (change.runs > 0 || !isKept)) {
        const own = change.runs === 0 ? [] : [[of, change.runs] as const]
        next = { ...next, group: [...others, ...own].toSorted(([a], [b]) => a - b) }
      }
      next = { ...next, schedules: next.schedules.with(of, { stored: written, jobs }) }
      const places = step.kind === 'Write' ? (step.places ?? []) : []
      for (const slot of places)
        if (jobOf(next, of, slot) === undefined) next = withJob(next, of, slot, { state: 'Ready', runs: 0, hasDone: true })
      return put(next, { ...idle, seen: written, removed: idle.removed.filter(([slot]) => !places.includes(slot)) })
    }
    case 'Place':
      for (const slot of step.slots)
        if (jobOf(next, of, slot) === undefined) next = withJob(next, of, slot, { state: 'Ready', runs: 0, hasDone: true })
      return put(next, { ...idle, placed: [...new Set([...idle.placed, ...step.slots])].toSorted((a, b) => a - b) })
    case 'Remove': {
      const results = step.slots.map((slot) => {
        const job = jobOf(next, of, slot)
        if (job === undefined) return [slot, 'Absent'] as const
        if (job.state !== 'Ready') return [slot, 'Started'] as const
        next = withJob(next, of, slot, undefined)
        return [slot, 'Removed'] as const
      })
      const others = idle.removed.filter(([slot]) => !step.slots.includes(slot))
      return put(next, { ...idle, placed: idle.placed.filter((slot) => !step.slots.includes(slot)), removed: [...others, ...results] })
    }
    case 'Acknowledge':
      for (const slot of step.slots) {
        const job = jobOf(next, of, slot)
        if (job?.state === 'Ended') next = withJob(next, of, slot, { ...job, hasDone: false })
      }
      return put(next, idle)
    default:
      return put(next, idle)
  }
}

function successors(world: World, scenario: Scenario, mutation: Mutation): World[] {
  const next: World[] = []
  if (world.nowSlot < scenario.until * tick) next.push({ ...world, nowSlot: world.nowSlot + tick })
  if (world.edits + 1 < scenario.plans.length) next.push({ ...world, edits: world.edits + 1 })
  for (const of of schedules) {
    for (const [slot, job] of scheduleAt(world, of).jobs) {
      if (job.state === 'Ready') next.push(withJob(world, of, slot, { ...job, state: 'Running', runs: job.runs + 1 }))
      if (job.state === 'Running') next.push(withJob(world, of, slot, { ...job, state: 'Ended' }))
    }
  }
  for (const [at, leader] of world.leaders.entries()) {
    if (leader === undefined) continue
    for (const of of schedules) {
      const view = leader.views[of] ?? nothing
      const put = (changed: View): void =>
        void next.push({ ...world, leaders: world.leaders.with(at, { ...leader, views: leader.views.with(of, changed) }) })
      if (view.step !== undefined) next.push(carryOut(world, at, of, leader, view.step, scenario, mutation))
      else if (view.seen === undefined) put({ ...view, seen: scheduleAt(world, of).stored })
      else {
        const step = decide(world, of, leader, view, scenario)
        const isGone = step.kind === 'Delete' && view.seen.ledger === undefined
        if (step.kind !== 'Wait' && !isGone) put({ ...view, step })
        const { isFull, ...rest } = view
        // It asks again; or it believes so, whatever makes it.
        if (isFull === true) put(rest)
        else if (scenario.isSure !== true) put({ ...rest, isFull: true })
      }
    }
    if (world.crashes < scenario.crashes && leader.views.some(({ seen }) => seen !== undefined)) {
      next.push({
        ...world,
        crashes: world.crashes + 1,
        leaders: world.leaders.with(at, { epoch: leader.epoch, views: [nothing, nothing] }),
      })
    }
  }
  if (world.leaders[1] === undefined && scenario.isAlone !== true)
    next.push({ ...world, epoch: 2, leaders: [world.leaders[0], { epoch: 2, views: [nothing, nothing] }] })
  return next
}

function broken(world: World, scenario: Scenario): string | undefined {
  const live = schedules.flatMap((of) =>
    scheduleAt(world, of)
      .jobs.filter(([, { state }]) => state !== 'Ended')
      .map(([slot]) => `${of}/${slot}`),
  )
  const wasLimited = scenario.plans
    .slice(0, world.edits + 1)
    .every((both) => both.every((each) => !('group' in each) && each.deletion === undefined))
  if (wasLimited && live.length > limit) return `${live.join(' and ')} have jobs at the same time`
  const active = schedules.reduce<number>((sum, of) => sum + (scheduleAt(world, of).stored.ledger?.active.length ?? 0), 0)
  if (wasLimited && active > limit) return `${active} runs are active`
  for (const of of schedules) {
    const { ledger } = scheduleAt(world, of).stored
    const counted = world.group.find(([each]) => each === of)?.[1] ?? 0
    const known = ledger?.group === undefined ? 0 : ledger.active.length
    if (counted !== known) return `the group counts ${counted} runs of schedule ${of}, its ledger has ${known}`
    for (const [slot, { runs }] of scheduleAt(world, of).jobs) if (runs > 1) return `slot ${slot} of schedule ${of} ran ${runs} times`
  }
  return undefined
}

/** A lone leader, and workers that take what is due, until nothing changes any more. */
function settle(world: World, scenario: Scenario, mutation: Mutation): World {
  const lone: Leader = { epoch: world.epoch, views: [nothing, nothing] }
  let current: World = { ...world, nowSlot: scenario.until * tick, edits: scenario.plans.length - 1, leaders: [undefined, lone] }
  for (let rest = 0, turn = 0; turn < 400; turn++) {
    const of = turn % 2
    for (const [slot, job] of scheduleAt(current, of).jobs) {
      if (job.state === 'Ready') current = withJob(current, of, slot, { ...job, state: 'Running', runs: job.runs + 1 })
      else if (job.state === 'Running') current = withJob(current, of, slot, { ...job, state: 'Ended' })
    }
    const leader = current.leaders[1] ?? lone
    const view: View = { ...(leader.views[of] ?? nothing), seen: scheduleAt(current, of).stored }
    const informed: Leader = { ...leader, views: leader.views.with(of, view) }
    const step = decide(current, of, informed, view, scenario)
    const isIdle = step.kind === 'Wait' || (step.kind === 'Delete' && view.seen?.ledger === undefined)
    const isWorked = schedules.every((each) => scheduleAt(current, each).jobs.every(([, { state }]) => state === 'Ended'))
    if (!isIdle) current = carryOut({ ...current, leaders: [undefined, informed] }, 1, of, informed, step, scenario, mutation)
    // It asks again.
    const { isFull, ...asking } = current.leaders[1]?.views[of] ?? nothing
    const after = current.leaders[1] ?? lone
    if (isIdle) current = { ...current, leaders: [undefined, { ...after, views: after.views.with(of, asking) }] }
    rest = isIdle && isWorked && isFull !== true ? rest + 1 : 0
    if (rest === 4) return current
  }
  throw new Error('does not come to rest')
}

function unaccounted(world: World, scenario: Scenario): string | undefined {
  if (world.group.length > 0) return `the group still counts ${JSON.stringify(world.group)}`
  const isEdited = scenario.plans.length > 1
  for (const of of schedules) {
    const { stored, jobs } = scheduleAt(world, of)
    if (scenario.plans.at(-1)?.[of].deletion !== undefined) {
      if (stored.ledger !== undefined) return `the ledger of schedule ${of} is still there`
      continue
    }
    if (stored.ledger?.open.some(({ state }) => state !== 'Final') === true) return `a due slot of schedule ${of} is open`
    const ran = jobs.filter(([, { runs }]) => runs === 1).length
    const due = Math.floor(world.nowSlot / (2 * tick))
    if (!isEdited && ran !== due) return `${due} slots of schedule ${of} were due, ${ran} ran`
  }
  return undefined
}

function explore(scenario: Scenario, mutation: Mutation = {}): { readonly states: number; readonly problem: string | undefined } {
  const none: Schedule = { stored: { revision: 0, ledger: undefined }, jobs: [] }
  const start: World = {
    nowSlot: tick,
    edits: 0,
    epoch: 1,
    schedules: [none, none],
    group: [],
    leaders: [{ epoch: 1, views: [nothing, nothing] }, undefined],
    crashes: 0,
  }
  const keyOf = (world: World): string =>
    JSON.stringify({
      ...world,
      schedules: world.schedules.map(({ stored, jobs }) => [stored.ledger, jobs]),
      leaders: world.leaders.map((leader) =>
        leader?.views.map(({ seen, ...view }, of) => ({
          ...view,
          seen: seen && { isCurrent: seen.revision === scheduleAt(world, of).stored.revision, ledger: seen.ledger },
        })),
      ),
    })
  const settled = new Map<string, string | undefined>()
  return exploreWorlds(start, {
    keyOf,
    successors: (world) => successors(world, scenario, mutation),
    problemOf: (world) => broken(world, scenario) ?? restProblem(world, scenario, mutation, settled),
  })
}

function restProblem(world: World, scenario: Scenario, mutation: Mutation, settled: Map<string, string | undefined>): string | undefined {
  const key = JSON.stringify([world.schedules.map(({ stored, jobs }) => [stored.ledger, jobs]), world.group, world.epoch])
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

const jobs = { generation: 'a/.job' } as const
const scenarios: readonly Scenario[] = [
  { name: 'one slot each, and a second leader', until: 2, crashes: 0, isSure: true, plans: [[{}, {}]] },
  { name: 'one slot each, with crashes', until: 2, crashes: 2, isAlone: true, plans: [[{}, {}]] },
  { name: 'one Kubernetes Job each', until: 2, crashes: 1, isAlone: true, plans: [[jobs, jobs]] },
  { name: 'two slots each', until: 4, crashes: 0, isAlone: true, plans: [[{}, {}]] },
  {
    name: 'one of them is deleted',
    until: 2,
    crashes: 1,
    isAlone: true,
    plans: [
      [{}, {}],
      [{ deletion: 'Delete' }, {}],
    ],
  },
  {
    name: 'one of them leaves the group',
    until: 2,
    crashes: 1,
    isAlone: true,
    plans: [
      [{}, {}],
      [{ group: undefined }, {}],
    ],
  },
  {
    name: 'one of them joins the group',
    until: 2,
    crashes: 1,
    isAlone: true,
    plans: [
      [{ group: undefined }, {}],
      [{}, {}],
    ],
  },
  {
    name: 'one of them changes its template',
    until: 2,
    crashes: 1,
    isAlone: true,
    plans: [
      [jobs, {}],
      [{ generation: 'b/.job' }, {}],
    ],
  },
]

describe('two schedules, limit 1', () => {
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

describe('a planted mistake is found', () => {
  it.each<[string, Mutation, RegExp, RegExp]>([
    ['the broker does not keep the limit', { limitOutside: true }, /at the same time/u, /two slots/u],
    ['a run that has ended stays counted', { keepsEnded: true }, /counts|come to rest/u, /two slots/u],
    ['a schedule that is deleted stays counted', { keepsDeleted: true }, /counts|come to rest/u, /is deleted/u],
    ['a former leader is not fenced', { unfenced: true }, /./u, /second leader/u],
  ])('%s', (_, mutation, found, among) => {
    let problem: string | undefined
    for (const scenario of scenarios.filter(({ name }) => among.test(name))) problem ??= explore(scenario, mutation).problem
    expect(problem).toMatch(found)
  })
})
