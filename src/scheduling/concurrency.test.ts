/** Policies about the run before: what waits for it, and what ends it. */
import { describe, expect, it } from 'vitest'
import { forbid, home, nothingKnown, planOf, slot, start } from './fixtures.ts'
import type { RunOutcome } from './ledger.ts'
import { nextStep } from './next-step.ts'

describe('a run that exceeds runDeadlineSeconds, with onDeadline: Cancel', () => {
  const plan = planOf({ ...forbid, runDeadlineSeconds: 20, onDeadline: 'Cancel' })

  function exceeded() {
    const world = home()
    world.lead(start, plan)
    world.lead(slot(1), plan)
    world.begin(slot(1))
    return world
  }

  it('is marked, cancelled, and recorded', () => {
    const world = exceeded()
    expect(world.lead(slot(1) + 20, plan)).toEqual(['Look', 'cancel', 'Cancel', 'free'])
    expect(world.placed).toEqual([])
    expect(world.ledger).toMatchObject({
      active: [],
      consecutiveFailures: 1,
      lastFailure: { slot: slot(1), reason: 'RunDeadlineExceeded', message: 'not ended within 20 s', startedAtMs: slot(1) * 1000 },
    })
  })

  it('counts as ended although its worker cannot be stopped, and says so', () => {
    const world = exceeded()
    world.isStoppable = false
    world.lead(slot(1) + 20, plan)
    expect(world.ledger?.lastFailure?.message).toBe(
      'not ended within 20 s; its job is active in a worker, which Taskmill cannot stop: it continues there',
    )
    world.end(slot(1))
    expect(world.lead(slot(1) + 25, plan)).toEqual(['Acknowledge'])
    expect(world.ledger).toMatchObject({ consecutiveFailures: 1 })
  })

  it('keeps its own outcome if it ended before it could be cancelled', () => {
    const world = exceeded()
    const looked = new Map([[slot(1), { state: 'Active', startedAtMs: slot(1) * 1000 } as const]])
    const mark = nextStep(world.ledger, plan, { ...nothingKnown, looked }, (slot(1) + 20) * 1000)
    if (mark.kind !== 'Write') throw new Error(mark.kind)
    world.ledger = mark.ledger
    world.jobs.set(slot(1), { state: 'Ended' })
    expect(world.lead(slot(1) + 20, plan)).toEqual(['Cancel'])
    world.end(slot(1))
    expect(world.lead(slot(1) + 21, plan)).toEqual(['record', 'Acknowledge'])
    expect(world.ledger).toMatchObject({ active: [], lastSuccess: { slot: slot(1) } })
  })

  it('has the same outcome if the leader died after it was cancelled', () => {
    const world = exceeded()
    const looked = new Map([[slot(1), { state: 'Active', startedAtMs: slot(1) * 1000 } as const]])
    const mark = nextStep(world.ledger, plan, { ...nothingKnown, looked }, (slot(1) + 20) * 1000)
    if (mark.kind !== 'Write') throw new Error(mark.kind)
    const removed: RunOutcome = { slot: slot(1), succeeded: false, reason: 'JobRemoved', message: 'job/x was deleted', finishedAtMs: 0 }
    expect(nextStep(mark.ledger, plan, { ...nothingKnown, ended: [removed] }, (slot(1) + 30) * 1000)).toMatchObject({
      what: 'record',
      ledger: { active: [], lastFailure: { reason: 'RunDeadlineExceeded', message: 'not ended within 20 s' } },
    })
  })
})

const queue = { concurrencyPolicy: 'Queue' } as const

describe('Queue', () => {
  /** A run is active, and the next two slots wait for it. */
  function waiting(plan = planOf(queue)) {
    const world = home()
    for (const index of [0, 1, 2, 3]) world.lead(slot(index), plan)
    return world
  }
  const waits = ({ ledger }: ReturnType<typeof home>) => ledger?.open.filter(({ state }) => state === 'Waiting').map((open) => open.slot)

  it('lets slots wait in order, and starts the first when the run has ended', () => {
    const world = waiting()
    expect(waits(world)).toEqual([slot(2), slot(3)])
    expect(world.placed).toEqual([slot(1)])
    expect(world.ledger).toMatchObject({ cursor: slot(3), dispatched: 1, missed: {} })
    world.end(slot(1))
    expect(world.lead(slot(3) + 5, planOf(queue))).toEqual(['record', 'Acknowledge', 'dispatch'])
    expect(waits(world)).toEqual([slot(3)])
    expect(world.ledger).toMatchObject({ dispatched: 2, active: [{ slot: slot(2), dispatchedAtMs: (slot(3) + 5) * 1000 }] })
    expect(world.ledger?.lastDispatched).toEqual({ slot: slot(2), atMs: (slot(3) + 5) * 1000 })
    world.end(slot(2))
    world.lead(slot(3) + 6, planOf(queue))
    expect(world.placed).toEqual([slot(1), slot(2), slot(3)])
    expect(waits(world)).toEqual([])
  })

  it('writes nothing while nothing changes', () => {
    const world = waiting()
    expect(world.lead(slot(3) + 10, planOf(queue))).toEqual([])
    expect(world.untilMs).toBe(slot(4) * 1000)
  })

  it('misses the newest slots beyond queueLimit', () => {
    const world = waiting(planOf({ ...queue, queueLimit: 1 }))
    expect(waits(world)).toEqual([slot(2)])
    expect(world.missed('QueueFull')).toEqual({ count: 1, lastSlot: slot(3) })
  })

  it('misses waiting slots beyond a limit that an edit lowers', () => {
    const world = waiting()
    world.lead(slot(3) + 5, planOf({ ...queue, queueLimit: 1 }))
    expect(waits(world)).toEqual([slot(2)])
    expect(world.missed('QueueFull')).toEqual({ count: 1, lastSlot: slot(3) })
  })

  it('misses a waiting slot after its starting deadline, without any event', () => {
    const plan = planOf({ ...queue, startingDeadlineSeconds: 90 })
    const world = waiting(plan)
    expect(world.untilMs).toBe((slot(2) + 90) * 1000 + 1)
    world.lead(slot(2) + 91, plan)
    expect(waits(world)).toEqual([slot(3)])
    expect(world.missed('StartingDeadlineExceeded')).toEqual({ count: 1, lastSlot: slot(2) })
    expect(world.untilMs).toBe(slot(4) * 1000)
  })

  it('lets the slots of an outage wait behind each other, as missedRuns picks them', () => {
    const world = home()
    const plan = planOf({ ...queue, missedRuns: 'All', missedRunsLimit: 3 })
    world.lead(start, plan)
    world.lead(slot(60) + 10, plan)
    expect(world.placed).toEqual([slot(58)])
    expect(waits(world)).toEqual([slot(59), slot(60)])
    expect(world.missed('TooManyMissed')).toEqual({ count: 57, lastSlot: slot(57) })
  })

  it.each([
    ['suspend', { suspended: true }, 'Suspended'],
    ['the timing', { timing: { everySeconds: 3600 } }, 'ScheduleChanged'],
    ['the policy', { concurrencyPolicy: 'Forbid' }, 'ScheduleChanged'],
    ['the policy, to Allow', { concurrencyPolicy: 'Allow' }, 'ScheduleChanged'],
  ] as const)('misses what waits after an edit of %s', (_, change, reason) => {
    const world = waiting()
    world.lead(slot(3) + 5, planOf({ ...queue, ...change }))
    expect(waits(world)).toEqual([])
    expect(world.missed(reason)).toEqual({ count: 2, lastSlot: slot(3) })
    expect(world.placed.filter((each) => each <= slot(3))).toEqual([slot(1)])
    expect(world.lead(slot(3) + 6, planOf({ ...queue, ...change }))).toEqual([])
  })

  it('starts what waits from the template that holds when its turn comes', () => {
    const world = waiting()
    world.begin(slot(1))
    const edited = planOf({ ...queue, generation: 'b' })
    world.lead(slot(3) + 5, edited)
    expect(waits(world)).toEqual([slot(2), slot(3)])
    world.end(slot(1))
    world.lead(slot(3) + 6, edited)
    expect(world.ledger?.active).toMatchObject([{ slot: slot(2), generation: 'b' }])
  })

  it('keeps what waits while something that a run needs is missing', () => {
    const world = waiting()
    world.end(slot(1))
    world.lead(slot(3) + 5, planOf({ ...queue, isHeld: true }))
    expect(waits(world)).toEqual([slot(2), slot(3)])
    world.lead(slot(3) + 6, planOf(queue))
    expect(world.ledger?.active).toMatchObject([{ slot: slot(2) }])
  })

  it('continues after a run that disappeared', () => {
    const world = waiting()
    world.jobs.delete(slot(1))
    expect(world.lead(slot(4), planOf(queue))).toEqual(['Look', 'free', 'dispatch'])
    expect(world.ledger).toMatchObject({ active: [{ slot: slot(2) }], lastFailure: { slot: slot(1), reason: 'JobRemoved' } })
  })

  it('continues after the last slot too, when somebody misses the job of the run', () => {
    const plan = planOf({ ...queue, timing: { at: [slot(1), slot(2), slot(3)] } })
    const world = waiting(plan)
    world.jobs.delete(slot(1))
    expect(world.lead(slot(3) + 5, plan)).toEqual([])
    expect(world.untilMs).toBeUndefined()
    world.missing.add(slot(1))
    expect(world.lead(slot(3) + 6, plan)).toEqual(['Look', 'free', 'dispatch'])
    expect(world.ledger).toMatchObject({ active: [{ slot: slot(2) }], lastFailure: { slot: slot(1), reason: 'JobRemoved' } })
  })

  it('keeps a run whose job is there although somebody missed it', () => {
    const world = waiting()
    world.missing.add(slot(1))
    expect(world.lead(slot(3) + 5, planOf(queue))).toEqual(['Look'])
    expect(world.ledger).toMatchObject({ active: [{ slot: slot(1) }] })
  })

  it('is deleted with what waits', () => {
    const world = waiting()
    expect(world.lead(slot(3) + 5, planOf({ ...queue, deletion: 'Delete' }))).toEqual(['revoke', 'Remove', 'Delete'])
  })

  it('does not start again what a restored broker believes to wait', () => {
    const world = waiting()
    const snapshot = world.ledger
    world.end(slot(1))
    world.lead(slot(3) + 5, planOf(queue))
    world.ledger = snapshot
    world.jobs.clear()
    world.lead(slot(3) + 20, planOf({ ...queue, statusSlot: slot(2) }))
    expect(world.placed).toEqual([])
    expect(waits(world)).toEqual([])
    expect(world.missed('LedgerRegressed')).toEqual({ count: 1, lastSlot: slot(3) })
  })
})

describe('Replace', () => {
  const replace = { concurrencyPolicy: 'Replace' } as const

  /** The run of the first slot is active, as `begun` says. */
  function running(begun = true) {
    const world = home()
    world.lead(start, planOf(replace))
    world.lead(slot(1), planOf(replace))
    if (begun) world.begin(slot(1))
    return world
  }

  it('cancels the active run when the next slot is due, records it as replaced, and starts the slot', () => {
    const world = running()
    expect(world.lead(slot(2), planOf(replace))).toEqual(['Look', 'cancel', 'Cancel', 'free', 'dispatch'])
    expect(world.placed).toEqual([slot(2)])
    expect(world.ledger).toMatchObject({ dispatched: 2, missed: {}, active: [{ slot: slot(2) }] })
    expect(world.ledger?.lastRun).toEqual({
      slot: slot(1),
      succeeded: false,
      reason: 'Replaced',
      message: 'replaced by the run of slot 1970-01-07T22:42:00Z',
      startedAtMs: slot(1) * 1000,
      finishedAtMs: slot(2) * 1000,
    })
  })

  it('counts a replaced run neither as failed nor as succeeded', () => {
    const world = running()
    world.end(slot(1), false)
    world.lead(slot(1) + 5, planOf(replace))
    world.lead(slot(2), planOf(replace))
    world.lead(slot(3), planOf(replace))
    expect(world.ledger).toMatchObject({
      consecutiveFailures: 1,
      lastFailure: { slot: slot(1) },
      lastRun: { slot: slot(2), reason: 'Replaced' },
    })
  })

  it('removes a run that has not started', () => {
    const world = running(false)
    world.lead(slot(2), planOf(replace))
    expect(world.placed).toEqual([slot(2)])
  })

  it('says of a job that a worker runs that it continues, and only acknowledges its end', () => {
    const world = running()
    world.isStoppable = false
    world.lead(slot(2), planOf(replace))
    expect(world.ledger?.lastRun?.message).toMatch(
      /^replaced by the run of slot \S+; its job is active in a worker, which Taskmill cannot stop/u,
    )
    expect(world.ledger).toMatchObject({ active: [{ slot: slot(2) }] })
    world.end(slot(1), false)
    expect(world.lead(slot(2) + 5, planOf(replace))).toEqual(['Acknowledge'])
    expect(world.ledger).toMatchObject({ consecutiveFailures: 0, lastRun: { reason: 'Replaced' } })
  })

  it('waits for the end of a run that ended before it could be cancelled, and keeps its outcome', () => {
    const world = running()
    world.jobs.set(slot(1), { state: 'Ended' })
    expect(world.lead(slot(2), planOf(replace))).toEqual(['Look', 'cancel', 'Cancel'])
    expect(world.untilMs).toBe(slot(2) * 1000 + 1000)
    world.end(slot(1))
    world.lead(slot(2) + 1, planOf(replace))
    expect(world.ledger).toMatchObject({ lastSuccess: { slot: slot(1) }, active: [{ slot: slot(2) }], dispatched: 2 })
  })

  it('cancels again after a second what had ended then, in case its end was lost', () => {
    const world = running()
    world.jobs.set(slot(1), { state: 'Ended' })
    world.lead(slot(2), planOf(replace))
    world.jobs.delete(slot(1))
    expect(world.lead(slot(2) + 1, planOf(replace))).toEqual(['Cancel', 'free', 'dispatch'])
    expect(world.ledger).toMatchObject({ lastRun: { slot: slot(1), reason: 'Replaced' }, active: [{ slot: slot(2) }] })
  })

  it('keeps the run if the template makes nothing of the slot, which has failed then', () => {
    const world = running()
    world.refused.add(slot(2))
    expect(world.lead(slot(2), planOf(replace))).toEqual(['Look', 'intend', 'record'])
    expect(world.ledger).toMatchObject({
      active: [{ slot: slot(1) }],
      open: [],
      lastFailure: { slot: slot(2), reason: 'Refused' },
      dispatched: 2,
    })
    world.lead(slot(3), planOf(replace))
    expect(world.ledger).toMatchObject({ active: [{ slot: slot(3) }], lastRun: { slot: slot(1), reason: 'Replaced' } })
  })

  it('records a thousand runs that Allow has left by one write', () => {
    const world = home()
    const every = planOf({ timing: { everySeconds: 1 }, missedRuns: 'All', missedRunsLimit: 100 })
    for (let at = start; at <= start + 1_000; at += 40) world.lead(at, every)
    const active = (world.ledger?.active ?? []).filter((run) => run.slot <= start + 1_000)
    for (const run of active) world.begin(run.slot)
    expect(active.length).toBeGreaterThan(900)
    const edited = planOf({ ...replace, timing: { everySeconds: 1 } })
    world.lead(start + 1_000, edited)
    expect(world.lead(start + 1_001, edited)).toEqual(['Look', 'cancel', 'Cancel', 'free', 'dispatch'])
    expect(world.ledger).toMatchObject({ active: [{ slot: start + 1_001 }], lastRun: { reason: 'Replaced' } })
  })

  it('replaces nothing while the schedule is suspended or held', () => {
    for (const change of [{ suspended: true }, { isHeld: true }]) {
      const world = running()
      expect(world.lead(slot(2), planOf({ ...replace, ...change }))).not.toContain('cancel')
      expect(world.placed).toEqual([slot(1)])
    }
  })

  it('replaces all runs that Allow has left, once', () => {
    const world = home()
    for (const index of [0, 1, 2]) world.lead(slot(index))
    for (const each of [slot(1), slot(2)]) world.begin(each)
    world.lead(slot(2) + 5, planOf(replace))
    const steps = world.lead(slot(3), planOf(replace))
    expect(steps.filter((step) => step === 'cancel')).toHaveLength(1)
    expect(world.placed).toEqual([slot(3)])
  })

  it('replaces a run that Allow had placed ahead, although nobody has recorded its start', () => {
    const world = home()
    world.lead(start)
    world.begin(slot(1))
    expect(world.lead(slot(2), planOf(replace))).toEqual(['adopt', 'Look', 'final', 'cancel', 'Cancel', 'free', 'dispatch'])
    expect(world.placed).toEqual([slot(2)])
    expect(world.ledger).toMatchObject({
      dispatched: 2,
      open: [],
      active: [{ slot: slot(2) }],
      lastRun: { slot: slot(1), reason: 'Replaced' },
    })
  })

  it('starts only the newest of the slots of an outage', () => {
    const world = running()
    world.lead(slot(5), planOf(replace))
    expect(world.placed).toEqual([slot(5)])
    expect(world.missed('Superseded')).toEqual({ count: 3, lastSlot: slot(4) })
  })

  it('does not cancel for a slot that is past its starting deadline', () => {
    const world = running()
    const plan = planOf({ ...replace, startingDeadlineSeconds: 20 })
    world.lead(slot(2) + 30, plan)
    expect(world.placed).toEqual([slot(1)])
    expect(world.missed('StartingDeadlineExceeded')?.count).toBe(1)
  })
})

describe('dependsOnPast', () => {
  const chained = { concurrencyPolicy: 'Queue', dependsOnPast: true } as const

  /** The first run has failed 5 s after its slot, and the next two slots wait. */
  function failed() {
    const world = home()
    world.lead(start, planOf(chained))
    world.lead(slot(1), planOf(chained))
    world.end(slot(1), false)
    world.lead(slot(1) + 5, planOf(chained))
    for (const index of [2, 3]) world.lead(slot(index), planOf(chained))
    return world
  }
  const waits = ({ ledger }: ReturnType<typeof home>) => ledger?.open.filter(({ state }) => state === 'Waiting').map((open) => open.slot)

  it('starts a slot after a success, and the first one', () => {
    const world = home()
    world.lead(start, planOf(chained))
    world.lead(slot(1), planOf(chained))
    world.end(slot(1))
    world.lead(slot(2), planOf(chained))
    expect(world.placed).toEqual([slot(1), slot(2)])
  })

  it('lets slots wait after a failure', () => {
    const world = failed()
    expect(waits(world)).toEqual([slot(2), slot(3)])
    expect(world.placed).toEqual([slot(1)])
    expect(world.untilMs).toBe(slot(4) * 1000)
  })

  it('continues after a run by hand that succeeded later, also when its object is gone', () => {
    const world = failed()
    const settled = planOf({ ...chained, succeededByHandAtMs: slot(3) * 1000 })
    expect(world.lead(slot(3) + 5, settled)).toEqual(['settle', 'dispatch'])
    world.end(slot(2))
    world.lead(slot(3) + 10, planOf(chained))
    expect(world.placed).toEqual([slot(1), slot(2), slot(3)])
  })

  it('remembers a run by hand although no slot waits yet', () => {
    const world = home()
    world.lead(start, planOf(chained))
    world.lead(slot(1), planOf(chained))
    world.end(slot(1), false)
    world.lead(slot(1) + 5, planOf({ ...chained, succeededByHandAtMs: (slot(1) + 4) * 1000 }))
    world.lead(slot(2), planOf(chained))
    expect(world.placed).toEqual([slot(1), slot(2)])
  })

  it('does not take a run by hand before the failure for an answer to it', () => {
    const world = failed()
    expect(world.lead(slot(3) + 5, planOf({ ...chained, succeededByHandAtMs: (slot(1) - 10) * 1000 }))).toEqual([])
  })

  it('waits again after the next failure', () => {
    const world = failed()
    const settled = planOf({ ...chained, succeededByHandAtMs: (slot(1) + 30) * 1000 })
    world.lead(slot(3) + 5, settled)
    world.end(slot(2), false)
    world.lead(slot(3) + 10, settled)
    expect(world.ledger?.consecutiveFailures).toBe(2)
    expect(world.placed).toEqual([slot(1), slot(2)])
    expect(waits(world)).toEqual([slot(3)])
  })

  it('is bounded by startingDeadlineSeconds and queueLimit', () => {
    const world = failed()
    world.lead(slot(3) + 5, planOf({ ...chained, startingDeadlineSeconds: 30 }))
    expect(waits(world)).toEqual([slot(3)])
    expect(world.missed('StartingDeadlineExceeded')).toEqual({ count: 1, lastSlot: slot(2) })
    world.lead(slot(4), planOf({ ...chained, queueLimit: 1 }))
    expect(world.missed('QueueFull')).toEqual({ count: 1, lastSlot: slot(4) })
  })

  it('does not wait for a run that was replaced before an edit to this policy', () => {
    const replace = planOf({ concurrencyPolicy: 'Replace' })
    const replaced = (succeeded: boolean) => {
      const world = home()
      world.lead(start, replace)
      world.lead(slot(1), replace)
      world.end(slot(1), succeeded)
      world.lead(slot(2), replace)
      world.begin(slot(2))
      world.lead(slot(3), replace)
      world.end(slot(3))
      const ended = world.ledger
      if (ended === undefined) throw new Error('no ledger')
      // The last run was replaced, and the one that replaced it is gone.
      world.ledger = { ...ended, active: [] }
      expect(world.ledger.lastRun).toMatchObject({ slot: slot(2), reason: 'Replaced' })
      return world
    }
    const afterSuccess = replaced(true)
    afterSuccess.lead(slot(4), planOf(chained))
    expect(afterSuccess.ledger?.active).toMatchObject([{ slot: slot(4) }])
    // The failure before it still counts.
    const afterFailure = replaced(false)
    afterFailure.lead(slot(4), planOf(chained))
    expect(waits(afterFailure)).toEqual([slot(4)])
  })

  it('lets the slots continue in order when it is set to false', () => {
    const world = failed()
    world.lead(slot(3) + 5, planOf({ ...chained, dependsOnPast: false }))
    expect(world.ledger?.active).toMatchObject([{ slot: slot(2) }])
  })
})

describe('a policy that an operator of version 1 takes for Allow', () => {
  it.each(['Queue', 'Replace'] as const)(
    '%s makes the ledger one that it refuses, before any slot is decided by it',
    (concurrencyPolicy) => {
      const created = home()
      created.lead(start, planOf({ concurrencyPolicy }))
      expect(created.ledger?.v).toBe(2)
      const edited = home()
      edited.lead(start, planOf(forbid))
      expect(edited.ledger?.v).toBe(1)
      expect(edited.lead(slot(1), planOf({ concurrencyPolicy }))).toEqual(['adopt', 'dispatch'])
      expect(edited.ledger?.v).toBe(2)
      expect(edited.lead(slot(1) + 5, planOf({ concurrencyPolicy }))).toEqual([])
    },
  )

  it('lets it read the ledger again after an edit to Forbid', () => {
    const world = home()
    world.lead(start, planOf(queue))
    expect(world.lead(start + 5, planOf(forbid))).toEqual(['adopt'])
    expect(world.ledger?.v).toBe(1)
  })
})
