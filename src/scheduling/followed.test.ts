/**
 * Schedules whose clock a primitive owns: the rules by tables, and every interleaving of small cases. There, two leaders run the real
 * `nextStep` against a model of the broker and of a CronJob controller, which may be slow, start the newest slot late, and carry out a
 * decision after the CronJob was stopped. Its Jobs are seen through a cache that lags. In every reachable state each slot has one run at most,
 * and from each a lone leader comes to rest with every due slot dispatched or missed.
 */
import { describe, expect, test } from 'vitest'
import { explore as exploreWorlds } from '../../test/support/explore.ts'
import type { Slot } from '../contract/index.ts'
import { minute, nothingKnown, planOf, slot, start } from './fixtures.ts'
import type { Followed, FollowedRun } from './primitive.ts'
import type { Knowledge, Ledger, RunOutcome, SchedulePlan, Step } from './ledger.ts'
import { nextStep } from './next-step.ts'
import type { Timing } from './timing.ts'

const followedTiming: Timing = { everySeconds: minute, engine: 'CronJob' }
const own = { generation: 'a/.job' }
const cron = { timing: followedTiming, generation: 'a/.cronjob' }
const runOf = (each: Slot): FollowedRun => ({ slot: each, generation: 'a/.cronjob', createdAtMs: (each + 1) * 1000 })
const running: Followed = { state: 'Running', isInStep: true, runs: [], settledUntil: 0, surveyedUntil: 0 }
const ledgerAt = (change: Partial<Ledger> = {}): Ledger => ({
  v: 2,
  timing: { ...followedTiming, suspended: false },
  cursor: start,
  open: [],
  active: [],
  dispatched: 0,
  consecutiveFailures: 0,
  missed: {},
  ...change,
})
const activeAt = (each: Slot) => ({ slot: each, generation: 'a/.cronjob', dispatchedAtMs: each * 1000 })
const stepOf = (ledger: Ledger, followed: Partial<Followed>, at: number, plan: Partial<SchedulePlan> = {}, rest: Partial<Knowledge> = {}) =>
  nextStep(ledger, planOf({ ...cron, ...plan }), { ...nothingKnown, followed: { ...running, ...followed }, ...rest }, at * 1000)
const written = (step: Step): Ledger => {
  if (step.kind !== 'Write') throw new Error(`no write, but ${step.kind}`)
  return step.ledger
}

describe('a schedule that follows a primitive', () => {
  test('dispatches nothing itself', () => {
    expect(stepOf(ledgerAt(), {}, slot(3) + 5)).toMatchObject({ kind: 'Wait' })
  })

  test('records a run at the slot that it was started for, and when it was', () => {
    const next = written(stepOf(ledgerAt(), { runs: [runOf(slot(1))] }, slot(1) + 2))
    expect(next).toMatchObject({
      cursor: slot(1),
      dispatched: 1,
      lastDispatched: { slot: slot(1), atMs: (slot(1) + 1) * 1000 },
      missed: {},
    })
    expect(next.active).toEqual([{ slot: slot(1), generation: 'a/.cronjob', dispatchedAtMs: (slot(1) + 1) * 1000 }])
  })

  test('records a run that has ended before it was seen, and only then its end', () => {
    const end: RunOutcome = { slot: slot(1), succeeded: true, reason: 'Succeeded', finishedAtMs: (slot(1) + 2) * 1000 }
    const seen = { runs: [runOf(slot(1))] }
    const first = written(stepOf(ledgerAt(), seen, slot(1) + 3, {}, { ended: [end] }))
    expect(first).toMatchObject({ dispatched: 1 })
    expect(written(stepOf(first, seen, slot(1) + 3, {}, { ended: [end] }))).toMatchObject({ active: [], lastSuccess: end })
  })

  test('records a run at a time that its own timing does not name: someone has edited the primitive', () => {
    const odd = slot(1) + 17
    expect(written(stepOf(ledgerAt(), { runs: [runOf(odd)] }, odd + 2))).toMatchObject({
      dispatched: 1,
      missed: { Superseded: { count: 1, lastSlot: slot(1) } },
    })
  })

  test('keeps the newest 1,000 of runs that never end', () => {
    const active = Array.from({ length: 1_000 }, (_, index) => activeAt(slot(index + 1)))
    const next = written(stepOf(ledgerAt({ cursor: slot(1_000), active }), { runs: [runOf(slot(1_001))] }, slot(1_001) + 2))
    expect(next.active).toHaveLength(1_000)
    expect(next.active.at(-1)).toMatchObject({ slot: slot(1_001) })
  })

  test.each<[string, Partial<SchedulePlan>, Partial<Ledger>, object]>([
    ['superseded by the newer one that ran', {}, {}, { Superseded: { count: 2, lastSlot: slot(2) } }],
    [
      'an overlap under Forbid while a run was active',
      { concurrencyPolicy: 'Forbid' },
      { cursor: slot(0), active: [activeAt(slot(0))] },
      { Overlap: { count: 2, lastSlot: slot(2) } },
    ],
    [
      'an overlap under Forbid also if that run has ended since',
      { concurrencyPolicy: 'Forbid' },
      { recent: `${slot(0)} Succeeded 90000 - 1` },
      { Overlap: { count: 1, lastSlot: slot(1) }, Superseded: { count: 1, lastSlot: slot(2) } },
    ],
  ])('slots before a run are missed: %s', (_, plan, ledger, missed) => {
    expect(written(stepOf(ledgerAt(ledger), { runs: [runOf(slot(3))] }, slot(3) + 2, plan)).missed).toEqual(missed)
  })

  test('after an edit of the timing, only slots of the former timing before a run are missed', () => {
    const timing: Timing = { everySeconds: 5 * minute, engine: 'CronJob' }
    const ledger = ledgerAt({ timing: { ...timing, suspended: false } })
    expect(written(stepOf(ledger, { runs: [runOf(slot(15))] }, slot(15) + 2))).toMatchObject({
      cursor: slot(15),
      missed: { Superseded: { count: 2, lastSlot: slot(10) } },
    })
  })

  test('asks the source before it calls a slot missed', () => {
    const settled = { settledUntil: slot(2) }
    expect(stepOf(ledgerAt(), settled, slot(3) + 20)).toMatchObject({ kind: 'Follow', act: 'Survey', after: start })
    const surveyed = { ...settled, surveyedUntil: slot(2) }
    expect(written(stepOf(ledgerAt(), surveyed, slot(3) + 20))).toMatchObject({
      cursor: slot(2),
      missed: { NotCreated: { count: 2, lastSlot: slot(2) } },
    })
  })

  test.each([
    ['nothing that was somebody else’s', {}],
    ['what was', { notOursUntil: start + 90 }],
  ])('times of day in a zone are followed, with %s', (_, seen) => {
    const timing: Timing = { schedules: ['* * * * *'], timeZone: 'Europe/Berlin', engine: 'CronJob' }
    const ledger = ledgerAt({ timing: { ...timing, suspended: false } })
    const next = stepOf(ledger, { ...seen, settledUntil: slot(3), surveyedUntil: slot(3) }, slot(4), { timing })
    expect(next).toMatchObject({ kind: 'Write' })
    expect(stepOf(ledger, { settledUntil: 0 }, start + 2, { timing })).toMatchObject({ kind: 'Wait' })
  })

  test('brings it in step, from the newest decided slot on', () => {
    expect(stepOf(ledgerAt({ cursor: slot(4) }), { isInStep: false }, slot(4) + 2)).toMatchObject({
      kind: 'Follow',
      act: 'Start',
      engine: 'CronJob',
      after: slot(4),
    })
  })

  test.each<[string, Partial<Followed>, Partial<SchedulePlan>]>([
    ['while it belongs to somebody else', { state: 'Withheld', isInStep: false }, {}],
    ['while the template is refused', { isInStep: false }, { isHeld: true }],
  ])('leaves it alone %s', (_, followed, plan) => {
    expect(stepOf(ledgerAt(), followed, start + 2, plan)).toMatchObject({ kind: 'Wait' })
  })

  test('before it was taken over, slots were somebody else’s: neither run nor missed', () => {
    const seen = { notOursUntil: slot(5), settledUntil: slot(5), surveyedUntil: slot(5) }
    expect(written(stepOf(ledgerAt(), seen, slot(5) + 2))).toMatchObject({ cursor: slot(5), missed: {} })
    expect(written(stepOf(ledgerAt(), { ...seen, runs: [runOf(slot(6))] }, slot(6) + 2))).toMatchObject({ cursor: slot(6), missed: {} })
  })

  test('an engine that changes while the primitive is somebody else’s makes up for nothing that it ran', () => {
    const seen = { state: 'Withheld', isInStep: false, notOursUntil: slot(5) + 5 } as const
    const toOwn = { timing: { everySeconds: minute }, ...own }
    const next = written(stepOf(ledgerAt(), seen, slot(5) + 5, toOwn))
    expect(next).toMatchObject({ cursor: slot(5) + 5, missed: {}, timing: { engine: 'CronJob' } })
    expect(written(stepOf(next, seen, slot(5) + 5, toOwn))).toMatchObject({ open: [], missed: {}, cursor: slot(5) + 5 })
    expect(stepOf(next, seen, slot(5) + 5)).toMatchObject({ kind: 'Wait' })
  })

  test('with Replace, a run that is gone when the next slot is due was replaced', () => {
    const gone: RunOutcome = { slot: slot(1), succeeded: false, reason: 'JobRemoved', finishedAtMs: slot(2) * 1000 }
    const ledger = ledgerAt({ cursor: slot(1), active: [activeAt(slot(1))], dispatched: 1 })
    const replace = { concurrencyPolicy: 'Replace' } as const
    expect(written(stepOf(ledger, {}, slot(2) + 1, replace, { ended: [gone] })).lastRun?.reason).toBe('Replaced')
    expect(written(stepOf(ledger, {}, slot(1) + 30, replace, { ended: [gone] })).lastRun?.reason).toBe('JobRemoved')
    expect(written(stepOf(ledger, {}, slot(2) + 1, {}, { ended: [gone] })).lastRun?.reason).toBe('JobRemoved')
  })

  test('wakes up when a slot would be late', () => {
    expect(stepOf(ledgerAt(), {}, start + 2)).toEqual({ kind: 'Wait', untilMs: slot(1) * 1000 + 31_000 })
    expect(stepOf(ledgerAt(), { againAtMs: start * 1000 + 9_000 }, start + 2)).toEqual({ kind: 'Wait', untilMs: start * 1000 + 9_000 })
  })
})

describe('a change of the engine or the timing', () => {
  const stopped = { state: 'Stopped', isInStep: false, settledUntil: slot(2), surveyedUntil: slot(2) } as const
  const toOwn = { timing: { everySeconds: minute }, ...own }

  test.each<[string, Partial<SchedulePlan>]>([
    ['another engine', toOwn],
    ['another timing', { timing: { ...followedTiming, everySeconds: 2 * minute } }],
    ['a suspension', { suspended: true }],
  ])('stops the primitive first: %s', (_, plan) => {
    expect(stepOf(ledgerAt(), {}, slot(2) + 5, plan)).toMatchObject({ kind: 'Follow', act: 'Stop' })
    expect(stepOf(ledgerAt(), { ...stopped, state: 'Stopping', againAtMs: 7 }, slot(2) + 5, plan)).toEqual({ kind: 'Wait', untilMs: 7 })
    expect(stepOf(ledgerAt(), { ...stopped, surveyedUntil: slot(1) }, slot(2) + 5, plan)).toMatchObject({ kind: 'Follow', act: 'Survey' })
  })

  test('to Taskmill: the slot that is due runs where the primitive would have started it', () => {
    const next = written(stepOf(ledgerAt({ cursor: slot(1), dispatched: 1 }), stopped, slot(2) + 5, toOwn))
    expect(next).toMatchObject({ timing: { everySeconds: minute, suspended: false }, cursor: slot(2), missed: {} })
    expect(next.timing).not.toHaveProperty('engine')
    expect(next.open).toMatchObject([{ slot: slot(2), state: 'Intended', generation: 'a/.cronjob' }])
    const place = nextStep(next, planOf(toOwn), { ...nothingKnown, present: ['CronJob'] }, (slot(2) + 5) * 1000)
    expect(place).toEqual({ kind: 'Place', slots: [slot(2)] })
    const placed = nextStep(
      next,
      planOf(toOwn),
      { ...nothingKnown, placed: new Set([slot(2)]), present: ['CronJob'] },
      (slot(2) + 5) * 1000,
    )
    const after = nextStep(written(placed), planOf(toOwn), { ...nothingKnown, present: ['CronJob'] }, (slot(2) + 5) * 1000)
    expect(after).toMatchObject({ kind: 'Follow', act: 'Remove', engine: 'CronJob' })
  })

  test.each(['Forbid', 'Replace', 'Queue'] as const)(
    'to Taskmill: with %s, the slot that is due waits for the active run',
    (concurrencyPolicy) => {
      const ledger = ledgerAt({ cursor: slot(1), active: [activeAt(slot(1))], dispatched: 1 })
      const next = written(stepOf(ledger, stopped, slot(2) + 5, { ...toOwn, concurrencyPolicy }))
      expect(next).toMatchObject({ cursor: slot(1), open: [], missed: {} })
      expect(next.timing).not.toHaveProperty('engine')
    },
  )

  test('to a primitive: what is due and undecided is the primitive’s', () => {
    const before = ledgerAt({ v: 1, timing: { everySeconds: minute, suspended: false }, cursor: slot(1) })
    const next = written(nextStep(before, planOf(cron), nothingKnown, (slot(2) + 5) * 1000))
    expect(next).toMatchObject({ v: 2, timing: { engine: 'CronJob' }, cursor: slot(1), missed: {} })
    expect(stepOf(next, { state: 'Absent', isInStep: false }, slot(2) + 5)).toMatchObject({ act: 'Start', after: slot(1) })
  })

  test('to a primitive: jobs that are placed ahead are taken back, and slots that wait are missed', () => {
    const open = [
      { slot: slot(1), state: 'Waiting', generation: 'a/work', epoch: 1 },
      { slot: slot(2), state: 'Placed', generation: 'a/work', epoch: 1 },
      { slot: slot(3), state: 'Placed', generation: 'a/work', epoch: 1 },
    ] as const
    const before = ledgerAt({ v: 1, timing: { everySeconds: minute, suspended: false }, cursor: slot(1), open })
    const next = written(nextStep(before, planOf(cron), nothingKnown, (slot(2) + 5) * 1000))
    expect(next).toMatchObject({ dispatched: 1, cursor: slot(2), missed: { ScheduleChanged: { count: 1 } } })
    expect(next.open).toMatchObject([{ slot: slot(3), state: 'Revoking' }])
  })

  test('another timing misses what the primitive left, as any edit does', () => {
    const next = written(stepOf(ledgerAt(), stopped, slot(2) + 5, { timing: { ...followedTiming, everySeconds: 2 * minute } }))
    expect(next).toMatchObject({ cursor: slot(2) + 5, missed: { ScheduleChanged: { count: 2 } } })
  })

  test('slots of a suspension are missed when it ends', () => {
    const suspended = ledgerAt({ timing: { ...followedTiming, suspended: true } })
    expect(stepOf(suspended, { ...stopped, isInStep: true }, slot(3), { suspended: true })).toMatchObject({ kind: 'Wait' })
    expect(written(stepOf(suspended, stopped, slot(3)))).toMatchObject({ cursor: slot(3), missed: { Suspended: { count: 3 } } })
  })

  test('a primitive that the ledger does not follow is removed, and with the schedule the one that it follows', () => {
    const present = { present: ['CronJob'] } as const
    expect(stepOf(ledgerAt({ timing: { everySeconds: minute, suspended: false } }), {}, start + 1, toOwn, present)).toMatchObject({
      kind: 'Follow',
      act: 'Remove',
    })
    expect(stepOf(ledgerAt(), {}, start + 1, { deletion: 'Delete' }, present)).toMatchObject({ kind: 'Follow', act: 'Remove' })
    expect(stepOf(ledgerAt(), {}, start + 1, { deletion: 'Orphan' }, present)).toEqual({ kind: 'Wait' })
  })
})

test('a deletion takes back a run that its primitive made last and no write has recorded', () => {
  const ledger = ledgerAt({ cursor: slot(1), active: [activeAt(slot(1))], dispatched: 1 })
  const absent = { state: 'Absent', isInStep: false, runs: [runOf(slot(1)), runOf(slot(2))] } as const
  const revoked = written(stepOf(ledger, absent, slot(2) + 5, { deletion: 'Delete' }))
  expect(revoked.open).toEqual([
    { slot: slot(1), state: 'Revoking', generation: 'a/.cronjob', epoch: 1, isCounted: true },
    { slot: slot(2), state: 'Revoking', generation: 'a/.cronjob', epoch: 1 },
  ])
  expect(stepOf(revoked, absent, slot(2) + 5, { deletion: 'Delete' })).toEqual({ kind: 'Remove', slots: [slot(1), slot(2)] })
})

/** One run: a Job of a name that both owners of the clock use, or one of Taskmill's own name. `isSeen`: the cache shows it. */
type JobModel = {
  readonly slot: Slot
  readonly name: 'own' | 'cron'
  readonly isEnded: boolean
  readonly isAcked: boolean
  readonly isSeen: boolean
}

type CronModel = {
  readonly isThere: boolean
  readonly isSuspended: boolean
  /** It starts slots after this one only. */
  readonly last: Slot
  /** Decided by the controller, and not carried out yet. */
  readonly begun?: Slot
  readonly stoppedAt?: Slot
}

type Leader = {
  readonly epoch: number
  readonly seen?: { readonly revision: number; readonly ledger: Ledger | undefined }
  readonly placed: readonly Slot[]
  readonly removed: readonly (readonly [Slot, 'Started' | 'Absent'])[]
  /** Up to where it has read the source, and whether the primitive was stopped then. */
  readonly survey?: { readonly until: Slot; readonly stoppedAt?: Slot | undefined }
  readonly step?: Step
}

type World = {
  readonly now: Slot
  readonly edits: number
  readonly stored: { readonly revision: number; readonly ledger: Ledger | undefined }
  readonly epoch: number
  readonly jobs: readonly JobModel[]
  readonly cron: CronModel
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
type Mutation = { readonly step?: (step: Step, world: World) => Step; readonly isStoppedAtOnce?: true; readonly isBlind?: true }

const planAt = ({ plans }: Scenario, edits: number, epoch: number): SchedulePlan => ({
  ...planOf({ missedRuns: 'Latest', ...own, ...plans[edits] }),
  epoch,
})
const newestDue = (now: Slot): Slot => Math.floor(now / minute) * minute

function followedBy({ cron: it, jobs, now }: World, { survey }: Leader, { suspended }: SchedulePlan, mutation: Mutation): Followed {
  const isStopped = it.isThere && it.isSuspended
  const isCertain = it.begun === undefined || mutation.isStoppedAtOnce === true
  const state = !it.isThere ? 'Absent' : !isStopped ? 'Running' : isCertain ? 'Stopped' : 'Stopping'
  const settledUntil = state === 'Running' || state === 'Stopping' ? newestDue(now) - minute : (it.stoppedAt ?? now)
  const isSurveyed = survey !== undefined && survey.stoppedAt === it.stoppedAt
  const surveyedUntil = mutation.isBlind === true ? now : isSurveyed ? survey.until : 0
  const shown = jobs.filter((job) => job.name === 'cron' && !job.isAcked && (job.isSeen || (isSurveyed && job.slot <= survey.until)))
  const isInStep = state === (suspended ? 'Stopped' : 'Running')
  return { state, isInStep, runs: shown.map((job) => runOf(job.slot)), settledUntil, surveyedUntil }
}

function decide(world: World, leader: Leader, scenario: Scenario, mutation: Mutation): Step {
  const ledger = leader.seen?.ledger
  const ended = world.jobs.filter(
    (job) => job.isEnded && !job.isAcked && (job.isSeen || ledger?.active.some(({ slot: each }) => each === job.slot)),
  )
  const plan = planAt(scenario, world.edits, leader.epoch)
  const knowledge: Knowledge = {
    ...nothingKnown,
    placed: new Set(leader.placed),
    removed: new Map(leader.removed),
    ended: ended.map((job) => ({ slot: job.slot, succeeded: true, reason: 'Succeeded', finishedAtMs: job.slot * 1000 })),
    followed: ledger?.timing.engine === undefined ? undefined : followedBy(world, leader, plan, mutation),
    present: world.cron.isThere ? ['CronJob'] : [],
  }
  const step = nextStep(ledger, plan, knowledge, world.now * 1000)
  return mutation.step?.(step, world) ?? step
}

const withJob = (world: World, each: Slot, name: JobModel['name']): World =>
  world.jobs.some((job) => job.slot === each && job.name === name)
    ? world
    : { ...world, jobs: [...world.jobs, { slot: each, name, isEnded: false, isAcked: false, isSeen: name === 'own' }] }

function carryOut(world: World, at: number, leader: Leader, step: Step, scenario: Scenario): World {
  const put = (changed: World, next: Leader): World => ({ ...changed, leaders: changed.leaders.with(at, next) })
  const { step: _, ...idle } = leader
  const ignorant: Leader = { epoch: leader.epoch, placed: [], removed: [] }
  if (leader.epoch < world.epoch) return put(world, ignorant)
  const generations = new Map(leader.seen?.ledger?.open.map((open) => [open.slot, open.generation]))
  switch (step.kind) {
    case 'Write': {
      if (leader.seen?.revision !== world.stored.revision) return put(world, ignorant)
      const stored = { revision: world.stored.revision + 1, ledger: step.ledger }
      return put({ ...world, stored }, { ...idle, seen: stored })
    }
    case 'Place': {
      let next = world
      for (const each of step.slots) next = withJob(next, each, generations.get(each)?.endsWith('.cronjob') === true ? 'cron' : 'own')
      return put(next, { ...idle, placed: [...leader.placed, ...step.slots] })
    }
    case 'Remove': {
      const answers = step.slots.map((each) => [each, world.jobs.some((job) => job.slot === each) ? 'Started' : 'Absent'] as const)
      return put(world, { ...idle, removed: [...leader.removed, ...answers] })
    }
    case 'Acknowledge':
      return put(
        { ...world, jobs: world.jobs.map((job) => (step.slots.includes(job.slot) && job.isEnded ? { ...job, isAcked: true } : job)) },
        idle,
      )
    case 'Follow': {
      const { cron: it, now } = world
      switch (step.act) {
        case 'Start': {
          const { stoppedAt: _stopped, ...rest } = it
          const isSuspended = planAt(scenario, world.edits, leader.epoch).suspended
          const stopped = isSuspended ? { stoppedAt: it.stoppedAt ?? now } : {}
          return put({ ...world, cron: { ...rest, ...stopped, isThere: true, isSuspended, last: Math.max(it.last, step.after) } }, idle)
        }
        case 'Stop':
          return put({ ...world, cron: { ...it, isSuspended: true, stoppedAt: it.stoppedAt ?? now } }, idle)
        case 'Survey':
          return put(
            { ...world, jobs: world.jobs.map((job) => ({ ...job, isSeen: true })) },
            { ...idle, survey: { until: now, ...(it.isSuspended && { stoppedAt: it.stoppedAt }) } },
          )
        case 'Remove':
          return put({ ...world, cron: { isThere: false, isSuspended: false, last: 0 } }, idle)
      }
    }
    // falls through
    default:
      return put(world, idle)
  }
}

function successors(world: World, scenario: Scenario, mutation: Mutation): World[] {
  const next: World[] = []
  const { cron: it, now } = world
  // A decision of the controller takes less than the time for which it is waited for.
  const isPatient = it.begun === undefined || newestDue(now + 30) === it.begun
  if (now < start + scenario.until * 30 && isPatient) next.push({ ...world, now: now + 30 })
  if (world.edits + 1 < scenario.plans.length) next.push({ ...world, edits: world.edits + 1 })
  // The controller: a decision, and later its Job, which may exist already.
  const due = newestDue(now)
  if (it.isThere && !it.isSuspended && it.begun === undefined && due > it.last) next.push({ ...world, cron: { ...it, begun: due } })
  if (it.begun !== undefined) {
    const { begun, ...rest } = it
    next.push({ ...withJob(world, begun, 'cron'), cron: { ...rest, last: Math.max(rest.last, begun) } })
  }
  const hidden = world.jobs.find((job) => !job.isSeen)
  if (hidden !== undefined) next.push({ ...world, jobs: world.jobs.map((job) => (job === hidden ? { ...job, isSeen: true } : job)) })
  const runs = world.jobs.find((job) => !job.isEnded)
  if (runs !== undefined) next.push({ ...world, jobs: world.jobs.map((job) => (job === runs ? { ...job, isEnded: true } : job)) })
  for (const [at, leader] of world.leaders.entries()) {
    if (leader === undefined) continue
    const put = (changed: Leader): void => void next.push({ ...world, leaders: world.leaders.with(at, changed) })
    if (leader.step !== undefined) next.push(carryOut(world, at, leader, leader.step, scenario))
    else if (leader.seen === undefined) put({ ...leader, seen: world.stored })
    else {
      const step = decide(world, leader, scenario, mutation)
      if (step.kind !== 'Wait') put({ ...leader, step })
    }
    if (world.crashes < scenario.crashes && leader.seen !== undefined)
      next.push({ ...world, crashes: world.crashes + 1, leaders: world.leaders.with(at, { epoch: leader.epoch, placed: [], removed: [] }) })
  }
  if (world.leaders[1] === undefined && scenario.isAlone !== true)
    next.push({ ...world, epoch: 2, leaders: [world.leaders[0], { epoch: 2, placed: [], removed: [] }] })
  return next
}

const doubled = ({ jobs }: World): string | undefined => {
  const twice = jobs.find((job, index) => jobs.findIndex((other) => other.slot === job.slot) !== index)
  return twice === undefined ? undefined : `slot ${twice.slot} runs twice`
}

/** A lone leader, a controller and workers, until nothing changes any more. */
function settle(world: World, scenario: Scenario, mutation: Mutation): World {
  let current: World = {
    ...world,
    now: start + scenario.until * 30,
    edits: scenario.plans.length - 1,
    leaders: [undefined, { epoch: world.epoch, placed: [], removed: [] }],
  }
  for (let count = 0; count < 500; count++) {
    const lone = { ...current, leaders: [undefined, undefined], epoch: world.epoch }
    const [moved] = successors(lone, { ...scenario, isAlone: true }, mutation)
    if (moved !== undefined) {
      current = { ...moved, leaders: current.leaders }
      continue
    }
    const [, leader] = current.leaders
    if (leader === undefined) throw new Error('no leader')
    const informed: Leader = leader.seen === undefined ? { ...leader, seen: current.stored } : leader
    const step = decide(current, informed, scenario, mutation)
    if (step.kind === 'Wait') return current
    current = carryOut({ ...current, leaders: [undefined, informed] }, 1, informed, step, scenario)
  }
  throw new Error('does not come to rest')
}

function unaccounted(world: World, { plans }: Scenario): string | undefined {
  const { ledger } = world.stored
  if (ledger === undefined) return 'there is no ledger'
  const missed = Object.values(ledger.missed).reduce((sum, { count }) => sum + count, 0)
  if (ledger.active.length > 0) return 'a run that has ended counts as active'
  if (ledger.dispatched !== world.jobs.length) return `${ledger.dispatched} dispatched, ${world.jobs.length} ran`
  const isEnded = plans.at(-1)?.timing?.engine === undefined
  if (isEnded && world.cron.isThere) return 'the CronJob is still there'
  const due = (newestDue(ledger.cursor) - start) / minute
  return due === ledger.dispatched + missed ? undefined : `${due} due, ${ledger.dispatched} dispatched, ${missed} missed`
}

function explore(scenario: Scenario, mutation: Mutation = {}): { readonly states: number; readonly problem: string | undefined } {
  const first: World = {
    now: start + 30,
    edits: 0,
    stored: { revision: 0, ledger: undefined },
    epoch: 1,
    jobs: [],
    cron: { isThere: false, isSuspended: false, last: 0 },
    leaders: [{ epoch: 1, placed: [], removed: [] }, undefined],
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
      const rest = JSON.stringify([world.stored.ledger, world.jobs, world.cron, world.epoch])
      if (!rests.has(rest)) {
        const settled = settle(world, scenario, mutation)
        rests.set(rest, doubled(settled) ?? unaccounted(settled, scenario))
      }
      return doubled(world) ?? rests.get(rest)
    },
  })
}

const scenarios: readonly Scenario[] = [
  { name: 'a CronJob from the start', until: 5, crashes: 1, plans: [cron] },
  { name: 'from Taskmill to a CronJob', until: 4, crashes: 1, isAlone: true, plans: [own, cron] },
  { name: 'from a CronJob to Taskmill', until: 4, crashes: 1, isAlone: true, plans: [cron, own] },
  { name: 'from a CronJob to Taskmill, with a second leader', until: 3, crashes: 0, plans: [cron, own] },
  { name: 'there and back', until: 4, crashes: 0, isAlone: true, plans: [own, cron, own] },
  { name: 'a suspension and its end', until: 4, crashes: 0, isAlone: true, plans: [cron, { ...cron, suspended: true }, cron] },
]

describe('in every interleaving each slot is dispatched once or missed', () => {
  test.each(scenarios)('$name', (scenario) => {
    const { states, problem } = explore(scenario)
    expect(problem).toBeUndefined()
    expect(states).toBeGreaterThan(100)
  })
})

const asWritten = (step: Step, change: (ledger: Ledger) => Ledger): Step =>
  step.kind === 'Write' ? { ...step, ledger: change(step.ledger) } : step

describe('a planted mistake is found', () => {
  test.each<[string, Mutation, RegExp, string]>([
    [
      'a decision of the controller is forgotten once it is told to stop',
      { isStoppedAtOnce: true },
      /missed|dispatched|twice/u,
      'a suspension and its end',
    ],
    ['what the cache does not show counts as missed', { isBlind: true }, /missed|dispatched|twice/u, 'a CronJob from the start'],
    [
      'the primitive may start slots that are decided',
      { step: (step) => (step.kind === 'Follow' && step.act === 'Start' ? { ...step, after: 0 } : step) },
      /missed|dispatched|twice/u,
      'a CronJob from the start',
    ],
    [
      'Taskmill starts the slot of the hand-over under its own name',
      {
        step: (step, { cron: it }) =>
          it.isThere
            ? asWritten(step, (ledger) => ({ ...ledger, open: ledger.open.map((open) => ({ ...open, generation: 'a/.job' })) }))
            : step,
        isStoppedAtOnce: true,
      },
      /twice/u,
      'from a CronJob to Taskmill',
    ],
    [
      'the former primitive stays',
      { step: (step) => (step.kind === 'Follow' && step.act === 'Remove' ? { kind: 'Wait' } : step) },
      /still there/u,
      'from a CronJob to Taskmill',
    ],
  ])('%s', (_, mutation, found, among) => {
    const scenario = scenarios.find(({ name }) => name === among)
    if (scenario === undefined) throw new Error(`no scenario ${among}`)
    expect(explore(scenario, mutation).problem).toMatch(found)
  })
})
