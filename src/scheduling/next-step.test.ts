import { describe, expect, it } from 'vitest'
import type { Slot } from '../contract/index.ts'
import { joined, not, within } from './cover.ts'
import { everyMinute, forbid, graph, home, nothingKnown, planOf, slot, start } from './fixtures.ts'
import type { Knowledge, Ledger, RunObservation, SchedulePlan } from './ledger.ts'
import { nextStep } from './next-step.ts'
import { calendarsInUse } from './retiming.ts'

describe('a slot', () => {
  it('is placed ahead by the write that decides it, and final when it is due', () => {
    const world = home()
    expect(world.lead(start)).toEqual(['adopt', 'dispatch'])
    expect(world.placed).toEqual([slot(1)])
    expect(world.ledger).toMatchObject({ dispatched: 0, open: [{ slot: slot(1), state: 'Placed' }] })
    world.lead(slot(1))
    expect(world.ledger).toMatchObject({ dispatched: 1, cursor: slot(1), lastDispatched: { slot: slot(1) } })
  })

  it('is decided when it is due if runs must not overlap', () => {
    const world = home()
    expect(world.lead(start, planOf(forbid))).toEqual(['adopt'])
    expect(world.untilMs).toBe(slot(1) * 1000)
    expect(world.lead(slot(1), planOf(forbid))).toEqual(['dispatch'])
    expect(world.placed).toEqual([slot(1)])
    expect(world.ledger).toMatchObject({ dispatched: 1, open: [], active: [{ slot: slot(1) }] })
  })

  it('is decided when it is due, and intended first, if no write can start it', () => {
    const world = home()
    expect(world.lead(start, planOf(graph))).toEqual(['adopt'])
    expect(world.untilMs).toBe(slot(1) * 1000)
    expect(world.lead(slot(1), planOf(graph))).toEqual(['intend', 'Place', 'placed'])
    expect(world.ledger).toMatchObject({ dispatched: 1, open: [], active: [{ slot: slot(1) }] })
  })

  it('before the creation of the schedule is never due', () => {
    const world = home()
    world.lead(start + 30, planOf({ ...forbid, createdAtMs: (start + 20) * 1000 }))
    expect(world.ledger).toMatchObject({ dispatched: 0, missed: {} })
  })

  it('causes no write while nothing is due', () => {
    const world = home()
    world.lead(start)
    expect(world.lead(start + 10)).toEqual([])
  })
})

describe('the end of a run', () => {
  it('is recorded, then acknowledged', () => {
    const world = home()
    world.lead(start, planOf(forbid))
    world.lead(slot(1), planOf(forbid))
    world.end(slot(1), false)
    expect(world.lead(slot(1) + 5, planOf(forbid))).toEqual(['record', 'Acknowledge'])
    expect(world.ledger).toMatchObject({
      active: [],
      consecutiveFailures: 1,
      lastFailure: { slot: slot(1), message: 'timeout' },
    })
  })

  it('counts failures in a row', () => {
    const world = home()
    world.lead(start)
    for (const [index, succeeded] of [false, false, true].entries()) {
      world.lead(slot(index + 1))
      world.end(slot(index + 1), succeeded)
      world.lead(slot(index + 1) + 5)
      expect(world.ledger?.consecutiveFailures).toBe(succeeded ? 0 : index + 1)
    }
  })

  it('makes a slot final if the leader died after the job was placed', () => {
    const world = home()
    world.lead(start, planOf(graph))
    const intend = nextStep(world.ledger, planOf(graph), nothingKnown, slot(1) * 1000)
    if (intend.kind !== 'Write') throw new Error(intend.kind)
    world.ledger = intend.ledger
    world.end(slot(1))
    expect(world.lead(slot(1) + 5, planOf(graph))).toEqual(['record', 'Acknowledge'])
    expect(world.ledger).toMatchObject({ dispatched: 1, active: [], open: [], lastSuccess: { slot: slot(1) } })
  })

  it('of a run that a deadline already ended is only acknowledged', () => {
    const world = home()
    const plan = planOf({ ...graph, runDeadlineSeconds: 20 })
    world.lead(start, plan)
    world.lead(slot(1), plan)
    world.begin(slot(1))
    world.lead(slot(1) + 20, plan)
    expect(world.ledger).toMatchObject({ active: [], lastRun: { reason: 'RunDeadlineExceeded' } })
    world.end(slot(1))
    expect(world.lead(slot(1) + 25, plan)).toEqual(['Acknowledge'])
    expect(world.ledger).toMatchObject({ lastRun: { reason: 'RunDeadlineExceeded' }, consecutiveFailures: 1 })
  })
})

describe('after an outage', () => {
  it.each([
    ['Latest', 1, { Superseded: 59 }],
    ['Skip', 1, { Skipped: 59 }],
    ['All', 10, { TooManyMissed: 50 }],
  ] as const)('%s dispatches %i of 60 slots', (missedRuns, dispatched, missed) => {
    const world = home()
    const plan = planOf({ missedRuns, timing: everyMinute })
    // Nothing was placed ahead: the operator comes for the first time after an hour.
    world.lead(slot(60) + 10, plan)
    expect(world.ledger?.dispatched).toBe(dispatched)
    expect(Object.fromEntries(Object.entries(world.ledger?.missed ?? {}).map(([reason, { count }]) => [reason, count]))).toEqual(missed)
  })

  it('examines a bounded number of slots, however long the outage was', () => {
    const world = home()
    world.lead(start + 366 * 86_400, planOf({ timing: { everySeconds: 1 }, missedRuns: 'All' }))
    expect(world.ledger?.dispatched).toBe(10)
    expect(world.missed('TooManyMissed')).toEqual({ count: 366 * 86_400 - 10, lastSlot: start + 366 * 86_400 - 10 })
    expect(world.ledger?.cursor).toBe(start + 366 * 86_400)
  })

  it('a slot that was placed ahead counts as dispatched when it was due', () => {
    const world = home()
    world.lead(start)
    world.end(slot(1))
    world.lead(slot(1) + 50)
    expect(world.ledger).toMatchObject({ dispatched: 1, missed: {}, lastSuccess: { slot: slot(1) } })
  })
})

describe('Forbid', () => {
  it('misses a slot while a run is active, and continues after its end', () => {
    const world = home()
    for (const index of [0, 1, 2]) world.lead(slot(index), planOf(forbid))
    expect(world.missed('Overlap')).toEqual({ count: 1, lastSlot: slot(2) })
    world.end(slot(1))
    world.lead(slot(2) + 5, planOf(forbid))
    world.lead(slot(3), planOf(forbid))
    expect(world.ledger).toMatchObject({ dispatched: 2, active: [{ slot: slot(3) }] })
  })

  it('decides a slot when it is due while the run before has not ended', () => {
    const world = home()
    for (const index of [0, 1]) world.lead(slot(index), planOf(forbid))
    expect(world.lead(slot(2) - 1, planOf(forbid))).toEqual([])
    world.end(slot(1))
    expect(world.lead(slot(2), planOf(forbid))).toEqual(['record', 'Acknowledge', 'dispatch'])
    expect(world.ledger).toMatchObject({ dispatched: 2, open: [], active: [{ slot: slot(2) }], missed: {} })
  })

  it('takes back what Allow had placed ahead', () => {
    const world = home()
    world.lead(start)
    expect(world.lead(start + 5, planOf(forbid))).toEqual(['revoke', 'Remove', 'taken back'])
    expect(world.placed).toEqual([])
    expect(world.ledger).toMatchObject({ active: [], open: [] })
  })

  it('takes back the next slot, and no run, after an edit from Allow', () => {
    const world = home()
    world.lead(start)
    world.lead(slot(1))
    world.begin(slot(1))
    expect(world.placed).toEqual([slot(1), slot(2)])
    expect(world.lead(slot(1) + 5, planOf(forbid))).toEqual(['revoke', 'Remove', 'taken back'])
    expect(world.placed).toEqual([slot(1)])
    expect(world.ledger).toMatchObject({ active: [{ slot: slot(1) }], open: [] })
  })
})

describe('an edit', () => {
  it('of the template revokes the slots that are not due and places them again', () => {
    const world = home()
    world.lead(start)
    expect(world.lead(start + 5, planOf({ generation: 'b' }))).toEqual(['revoke', 'Remove', 'taken back', 'dispatch'])
    expect(world.ledger?.open).toMatchObject([{ slot: slot(1), state: 'Placed', generation: 'b' }])
  })

  it('of the template leaves alone a job that has started early (a worker whose clock is ahead)', () => {
    const world = home()
    world.lead(start)
    world.begin(slot(1))
    world.lead(start + 5, planOf({ generation: 'b' }))
    expect(world.ledger).toMatchObject({ dispatched: 1, active: [{ slot: slot(1), generation: 'a' }] })
    world.lead(slot(1) + 5, planOf({ generation: 'b' }))
    expect(world.ledger).toMatchObject({ dispatched: 1, missed: {} })
  })

  it('of the timing never fires slots of the past', () => {
    const world = home()
    world.lead(start, planOf(graph))
    world.lead(slot(3) + 5, planOf({ ...graph, timing: { everySeconds: 7 } }))
    expect(world.ledger).toMatchObject({ dispatched: 0, cursor: slot(3) + 5 })
    expect(world.missed('ScheduleChanged')).toEqual({ count: 3, lastSlot: slot(3) })
  })

  it('of the timing revokes the slots of the old timing', () => {
    const world = home()
    world.lead(start)
    world.lead(start + 5, planOf({ timing: { everySeconds: 3600 } }))
    expect(world.placed).not.toContain(slot(1))
  })
})

it('a slot that an edit takes back before its start is missed, although a later one has started', () => {
  const plan = planOf({ ...graph, missedRuns: 'All' })
  const world = home()
  world.lead(start, plan)
  const intended = nextStep(world.ledger, plan, nothingKnown, slot(2) * 1000)
  if (intended.kind !== 'Write') throw new Error(intended.kind)
  const edited = planOf({ ...plan, timing: { everySeconds: 3600 } })
  let { ledger } = intended
  const knowledge = { ...nothingKnown, placed: new Set([slot(2)]), removed: new Map([[slot(1), 'Absent' as const]]) }
  const done: string[] = []
  for (let step = nextStep(ledger, edited, knowledge, slot(2) * 1000); step.kind === 'Write';) {
    done.push(step.what)
    ledger = step.ledger
    step = nextStep(ledger, edited, knowledge, slot(2) * 1000)
  }
  expect(done).toEqual(['revoke', 'placed', 'taken back', 'retime'])
  expect(ledger).toMatchObject({ dispatched: 1, missed: { ScheduleChanged: { count: 1, lastSlot: slot(1) } } })
})

describe('calendars', () => {
  /** Calendars that leave these slots out. */
  const without = (...indexes: readonly number[]): Partial<SchedulePlan> => ({
    ...forbid,
    timing: { ...everyMinute, calendars: { rules: indexes.join() } },
    calendars: not(within(joined(indexes.map((index) => ({ start: slot(index), end: slot(index) + 1 }))))),
  })

  it('leave slots out without a trace', () => {
    const world = home()
    const plan = planOf({ ...without(2, 3), concurrencyPolicy: 'Allow' })
    for (const at of [start, slot(1), slot(2), slot(3), slot(4)]) world.lead(at, plan)
    expect(world.ledger).toMatchObject({ dispatched: 2, missed: {}, lastDispatched: { slot: slot(4) } })
  })

  it('that change fire nothing of the past, and nothing counts as missed that the former ones may have left out', () => {
    const world = home()
    world.lead(start, planOf({ ...without(1, 2), ...graph }))
    expect(world.lead(slot(4) + 5, planOf({ ...without(2), ...graph }))).toEqual(['retime'])
    expect(world.ledger).toMatchObject({ dispatched: 0, cursor: slot(4) + 5 })
    // Which slots the former ones left out is not stored. What they left out must not count as missed.
    expect(world.missed('ScheduleChanged')).toBeUndefined()
  })

  it.each([
    ['the next of which had not come', [slot(5)], undefined],
    ['some of which had come', [slot(3), slot(4), slot(5)], { count: 2, lastSlot: slot(4) }],
    ['all of which had come, and there were no more', [slot(3), slot(4)], { count: 2, lastSlot: slot(4) }],
    [
      'all of which had come, so that there may have been more',
      [12, 24, 36, 180, 240].map((seconds) => start + seconds),
      { count: 5, lastSlot: slot(4), isLowerBound: true },
    ],
    ['that were decided before', [start - 120, start - 60, slot(5)], undefined],
  ])('that change unseen leave those to be missed that the status had named: slots %s', (_, statusNext, missed) => {
    const world = home()
    world.lead(start, planOf({ ...without(1, 2), ...graph }))
    expect(world.lead(slot(4) + 5, planOf({ ...without(2), ...graph, statusNext }))).toEqual(['retime'])
    expect(world.missed('ScheduleChanged')).toEqual(missed)
    expect(world.ledger).toMatchObject({ dispatched: 0, cursor: slot(4) + 5 })
  })

  it('that change unseen count no delayed run that was decided, although the status named a later moment than its slot', () => {
    const delayed = (index: number): Partial<SchedulePlan> => {
      const { timing = everyMinute, ...rest } = without(index)
      return { ...rest, ...graph, timing: { ...timing, jitterSeconds: 50 } }
    }
    const world = home()
    world.lead(start, planOf(delayed(1)))
    if (world.ledger !== undefined) world.ledger = { ...world.ledger, cursor: slot(3) }
    const statusNext = [3, 4, 5].map((index) => slot(index) + 7)
    expect(world.lead(slot(4) + 50, planOf({ ...delayed(2), statusNext }))).toEqual(['retime'])
    expect(world.missed('ScheduleChanged')).toEqual({ count: 1, lastSlot: slot(4) + 7 })
  })

  it('that change leave what was due before to be missed, if this process knows the former ones', () => {
    const world = home()
    const before = planOf({ ...without(1, 2), ...graph })
    world.lead(start, before)
    const formerCalendars = world.ledger && calendarsInUse(world.ledger, before)
    expect(world.lead(slot(4) + 5, planOf({ ...without(2), ...graph, formerCalendars }))).toEqual(['retime'])
    expect(world.ledger).toMatchObject({ dispatched: 0, cursor: slot(4) + 5 })
    expect(world.missed('ScheduleChanged')).toEqual({ count: 2, lastSlot: slot(4) })
  })

  it('that this process knew are no measure for a ledger that others were written to since', () => {
    const world = home()
    const before = planOf({ ...without(1, 2), ...graph })
    world.lead(start, before)
    const formerCalendars = world.ledger && calendarsInUse(world.ledger, before)
    world.lead(start + 5, planOf({ ...without(3), ...graph }))
    world.lead(slot(4) + 5, planOf({ ...without(2), ...graph, formerCalendars }))
    expect(world.missed('ScheduleChanged')).toBeUndefined()
  })

  it('that are added leave all that was due before to be missed', () => {
    const world = home()
    world.lead(start, planOf(graph))
    world.lead(slot(2) + 5, planOf({ ...without(1, 2), ...graph }))
    expect(world.missed('ScheduleChanged')).toEqual({ count: 2, lastSlot: slot(2) })
  })

  it('that are added take back what was placed ahead', () => {
    const world = home()
    world.lead(start)
    world.lead(start + 5, planOf({ ...without(1), concurrencyPolicy: 'Allow' }))
    expect(world.placed).not.toContain(slot(1))
  })

  describe('in files', () => {
    const inFile = (files?: string): SchedulePlan =>
      planOf({
        ...forbid,
        ...graph,
        timing: { ...everyMinute, calendars: { rules: 'a', ...(files === undefined ? {} : { files }) } },
        isHeld: files === undefined,
      })

    it('that cannot be read yet hold the slots, and the catch-up policy decides them then', () => {
      const world = home()
      expect(world.lead(start, inFile())).toEqual(['adopt'])
      expect(world.lead(slot(2) + 20, inFile())).toEqual([])
      expect(world.lead(slot(2) + 20, inFile('b'))).toEqual(['adopt', 'intend', 'Place', 'placed'])
      expect(world.ledger).toMatchObject({
        dispatched: 1,
        lastDispatched: { slot: slot(2) },
        timing: { calendars: { rules: 'a', files: 'b' } },
      })
      expect(world.missed('Superseded')).toEqual({ count: 1, lastSlot: slot(1) })
    })

    it('that come back as they were let the catch-up policy decide', () => {
      const world = home()
      world.lead(start, inFile('b'))
      expect(world.lead(slot(1) + 20, inFile())).toEqual([])
      world.lead(slot(2) + 20, inFile('b'))
      expect(world.ledger).toMatchObject({ dispatched: 1, lastDispatched: { slot: slot(2) } })
      expect(world.missed('ScheduleChanged')).toBeUndefined()
    })

    it('that come back with other dates fire nothing of the past', () => {
      const world = home()
      world.lead(start, inFile('b'))
      world.lead(slot(1) + 20, inFile())
      expect(world.lead(slot(2) + 20, inFile('c'))).toEqual(['retime'])
      expect(world.ledger).toMatchObject({ dispatched: 0, cursor: slot(2) + 20, timing: { calendars: { files: 'c' } } })
      expect(world.missed('ScheduleChanged')).toBeUndefined()
    })

    it('that are not read yet do not say what a ledger that was lost has missed', () => {
      const world = home()
      world.lead(slot(5) + 5, { ...inFile(), statusSlot: slot(2) })
      expect(world.ledger).toMatchObject({ cursor: slot(5) + 5, regressedAtMs: (slot(5) + 5) * 1000 })
      expect(world.ledger?.missed).toEqual({ LedgerRegressed: { count: 0, lastSlot: slot(5) + 5, isLowerBound: true } })
    })

    it('are known by their former content through a suspension without them', () => {
      const world = home()
      world.lead(start, inFile('b'))
      world.lead(slot(1) + 20, { ...inFile(), suspended: true })
      world.lead(slot(2) + 20, inFile())
      expect(world.ledger?.timing).toMatchObject({ suspended: false, calendars: { rules: 'a', files: 'b' } })
      world.lead(slot(3) + 20, inFile('c'))
      expect(world.ledger).toMatchObject({ dispatched: 0 })
    })
  })

  it('that stay the same are known when a suspension ends', () => {
    const world = home()
    world.lead(start, planOf(without(2)))
    world.lead(start + 5, planOf({ ...without(2), suspended: true }))
    world.lead(slot(3) + 5, planOf(without(2)))
    expect(world.missed('Suspended')).toEqual({ count: 2, lastSlot: slot(3) })
  })

  it('that stay the same change nothing', () => {
    const world = home()
    world.lead(start, planOf(without(2)))
    expect(world.lead(start + 5, planOf(without(2)))).toEqual([])
  })
})

describe('a slot of which the template makes nothing', () => {
  it('stops no other slot, and has failed when it is due', () => {
    const world = home()
    const plan = planOf({ timing: { everySeconds: 30 } })
    const half = (index: number): Slot => start + index * 30
    world.refused.add(half(2))
    world.lead(start, plan)
    expect(world.placed).toEqual([half(1), half(3)])
    world.lead(half(1), plan)
    world.end(half(1))
    expect(world.lead(half(2), plan)).toContain('record')
    expect(world.ledger).toMatchObject({ dispatched: 2, active: [{ slot: half(3) }], lastFailure: { slot: half(2), reason: 'Refused' } })
  })

  it('is not decided before it is due: an edit helps it', () => {
    const world = home()
    world.refused.add(slot(1))
    world.lead(start)
    expect(world.placed).toEqual([])
    expect(world.lead(start + 5)).toEqual([])
    expect(world.untilMs).toBe(slot(1) * 1000)
    world.refused.clear()
    world.lead(start + 10, planOf({ generation: 'b' }))
    expect(world.placed).toEqual([slot(1)])
    expect(world.ledger).toMatchObject({ missed: {}, open: [{ slot: slot(1), state: 'Placed', generation: 'b' }] })
  })

  it('frees a schedule with Forbid', () => {
    const world = home()
    world.refused.add(slot(1))
    world.lead(start, planOf(forbid))
    world.lead(slot(1), planOf(forbid))
    world.lead(slot(2), planOf(forbid))
    expect(world.ledger).toMatchObject({ dispatched: 2, active: [{ slot: slot(2) }], missed: {} })
  })
})

describe('an intent whose effect was not made', () => {
  /** The leader died right after it wrote the intent of the first slot, which no write can start. */
  function interrupted() {
    const world = home()
    world.lead(start, planOf(graph))
    const intend = nextStep(world.ledger, planOf(graph), nothingKnown, slot(1) * 1000)
    if (intend.kind !== 'Write') throw new Error(intend.kind)
    world.ledger = intend.ledger
    return world
  }

  it.each<[string, Partial<SchedulePlan>, keyof Ledger['missed']]>([
    ['the template', { generation: 'b/.execution' }, 'ScheduleChanged'],
    ['the timing', { timing: { everySeconds: 7200 } }, 'ScheduleChanged'],
    ['suspend', { suspended: true }, 'Suspended'],
  ])('does not fire late after an edit of %s', (_, change, reason) => {
    const world = interrupted()
    world.lead(slot(1) + 20, planOf({ ...graph, ...change }))
    expect(world.placed).toEqual([])
    expect(world.missed(reason)).toEqual({ count: 1, lastSlot: slot(1) })
    expect(world.ledger).toMatchObject({ dispatched: 0, active: [], open: [] })
  })

  it('counts as dispatched after an edit if its job has started', () => {
    const world = interrupted()
    world.begin(slot(1))
    world.lead(slot(1) + 20, planOf({ generation: 'b/.execution' }))
    expect(world.ledger).toMatchObject({ dispatched: 1, missed: {}, active: [{ slot: slot(1), ...graph }] })
  })

  it('is made without an edit', () => {
    const world = interrupted()
    world.lead(slot(1) + 20, planOf(graph))
    expect(world.placed).toEqual([slot(1)])
  })
})

describe('suspend', () => {
  it('revokes placed slots, writes nothing meanwhile, and counts the missed slots at the resume', () => {
    const world = home()
    world.lead(start)
    world.lead(start + 5, planOf({ suspended: true }))
    expect(world.placed).toEqual([])
    expect(world.lead(slot(5), planOf({ suspended: true }))).toEqual([])
    expect(world.untilMs).toBeUndefined()
    world.lead(slot(5) + 5, planOf())
    expect(world.missed('Suspended')).toEqual({ count: 5, lastSlot: slot(5) })
    expect(world.ledger).toMatchObject({ dispatched: 0, open: [{ slot: slot(6), state: 'Placed' }] })
  })

  it('lets a dispatched run continue', () => {
    const world = home()
    world.lead(start)
    world.lead(slot(1), planOf({ suspended: true }))
    expect(world.ledger).toMatchObject({ dispatched: 1, active: [{ slot: slot(1) }] })
  })
})

describe('a lost ledger', () => {
  it('restored from an older state fires no past slot', () => {
    const world = home()
    world.lead(start)
    const snapshot = world.ledger
    world.lead(slot(1))
    world.lead(slot(2))
    world.ledger = snapshot
    world.jobs.clear()
    world.lead(slot(3) + 5, planOf({ statusSlot: slot(2) }))
    expect(world.placed).toEqual([slot(4)])
    expect(world.missed('LedgerRegressed')?.lastSlot).toBe(slot(3))
    expect(world.ledger?.regressedAtMs).toBe((slot(3) + 5) * 1000)
  })

  it('fires no past slot', () => {
    const world = home()
    world.lead(slot(3) + 5, planOf({ ...forbid, statusSlot: slot(2) }))
    expect(world.placed).toEqual([])
    expect(world.missed('LedgerRegressed')).toEqual({ count: 1, lastSlot: slot(3) })
    world.lead(slot(4), planOf({ ...forbid, statusSlot: slot(2) }))
    expect(world.placed).toEqual([slot(4)])
  })

  it('revokes jobs that came back with the snapshot and have not started', () => {
    const world = home()
    world.lead(start)
    world.lead(slot(2) + 5, planOf({ statusSlot: slot(2) }))
    expect(world.placed).toEqual([slot(3)])
  })
})

describe('deletion', () => {
  it('removes jobs that have not started, then deletes the ledger', () => {
    const world = home()
    world.lead(start)
    expect(world.lead(start + 5, planOf({ deletion: 'Delete' }))).toEqual(['revoke', 'Remove', 'Delete'])
    expect(world.placed).toEqual([])
    expect(world.ledger).toBeUndefined()
  })

  it('leaves running jobs alone', () => {
    const world = home()
    world.lead(start)
    world.lead(slot(1))
    world.begin(slot(1))
    world.lead(slot(1) + 5, planOf({ deletion: 'Delete' }))
    expect(world.placed).toEqual([slot(1)])
  })

  it('leaves everything with Orphan', () => {
    const world = home()
    world.lead(start)
    expect(world.lead(start + 5, planOf({ deletion: 'Orphan' }))).toEqual([])
    expect(world.placed).toEqual([slot(1)])
  })
})

describe('two clusters on one broker', () => {
  it('with the same schedule continue one ledger', () => {
    const world = home()
    world.lead(start)
    expect(world.lead(start + 5, planOf({ epoch: 2, createdAtMs: (start + 3) * 1000 }))).toEqual([])
    world.lead(slot(1), planOf({ epoch: 2, createdAtMs: (start + 3) * 1000 }))
    expect(world.ledger?.dispatched).toBe(1)
  })
})

describe('regressions', () => {
  const written = (ledger: Ledger, plan: SchedulePlan, knowledge: Knowledge, at: number): Ledger => {
    const step = nextStep(ledger, plan, knowledge, at * 1000)
    if (step.kind !== 'Write') throw new Error(step.kind)
    return step.ledger
  }
  const active = [{ slot: slot(1), generation: 'a', dispatchedAtMs: slot(1) * 1000 }]
  const empty: Ledger = {
    v: 1,
    timing: { ...everyMinute, suspended: false },
    cursor: start,
    open: [],
    active: [],
    dispatched: 0,
    consecutiveFailures: 0,
    missed: {},
  }

  it('a job that was placed ahead and ran while no operator did is not late', () => {
    const ledger: Ledger = { ...empty, open: [{ slot: slot(1), state: 'Placed', generation: 'a', epoch: 1 }], active }
    expect(written(ledger, planOf(), nothingKnown, slot(1) + 59).lastDispatched).toEqual({ slot: slot(1), atMs: slot(1) * 1000 })
  })

  it('a running slot is counted once if the schedule is deleted and recreated', () => {
    const ledger: Ledger = { ...empty, cursor: slot(1), dispatched: 1, lastDispatched: { slot: slot(1), atMs: slot(1) * 1000 }, active }
    const revoking = written(ledger, planOf({ deletion: 'Delete' }), nothingKnown, slot(1) + 10)
    const back = written(revoking, planOf(), { ...nothingKnown, removed: new Map([[slot(1), 'Started']]) }, slot(1) + 11)
    expect(back).toMatchObject({ dispatched: 1, active: [{ slot: slot(1) }], open: [] })
  })

  it('an intent that lands after the starting deadline is refused', () => {
    const plan = planOf({ concurrencyPolicy: 'Forbid', startingDeadlineSeconds: 20 })
    expect(nextStep(empty, plan, nothingKnown, slot(1) * 1000 + 10_000)).toMatchObject({
      what: 'dispatch',
      places: [slot(1)],
      beforeMs: (slot(1) + 20) * 1000 + 1,
    })
  })

  it('a run that disappeared does not block a Forbid schedule', () => {
    const plan = planOf({ concurrencyPolicy: 'Forbid' })
    const ledger: Ledger = { ...empty, cursor: slot(1), dispatched: 1, active }
    expect(nextStep(ledger, plan, nothingKnown, slot(2) * 1000)).toEqual({ kind: 'Look', slots: [slot(1)] })
    const freed = written(ledger, plan, { ...nothingKnown, looked: new Map([[slot(1), { state: 'Absent' }]]) }, slot(2))
    expect(freed).toMatchObject({ active: [], lastRun: { slot: slot(1), reason: 'JobRemoved' }, missed: {} })
    const overlapping = written(ledger, plan, { ...nothingKnown, looked: new Map([[slot(1), { state: 'Active' }]]) }, slot(2))
    expect(overlapping.missed).toEqual({ Overlap: { count: 1, lastSlot: slot(2) } })
  })
})

describe('an edit of the template', () => {
  const forbidB = planOf({ ...forbid, generation: 'b' })

  it('starts a run anew that nothing has started, once, and the next slots are free when it ends', () => {
    const world = home()
    world.lead(slot(0), planOf(forbid))
    expect(world.lead(slot(1), planOf(forbid))).toEqual(['dispatch'])
    expect(world.lead(slot(2), planOf(forbid))).toEqual(['Look', 'final'])
    expect(world.missed('Overlap')).toMatchObject({ count: 1 })
    expect(world.lead(slot(2) + 1, forbidB)).toEqual(['Look', 'restart', 'Remove', 'taken back', 'placed'])
    expect(world.ledger).toMatchObject({
      dispatched: 1,
      lastDispatched: { slot: slot(1), atMs: slot(1) * 1000 },
      active: [{ slot: slot(1), generation: 'b', dispatchedAtMs: (slot(2) + 1) * 1000 }],
      missed: { Overlap: { count: 1 } },
    })
    expect(world.lead(slot(2) + 2, forbidB)).toEqual([])
    world.end(slot(1))
    world.lead(slot(2) + 3, forbidB)
    expect(world.lead(slot(3), forbidB)).toEqual(['dispatch'])
    expect(world.ledger).toMatchObject({ dispatched: 2, active: [{ slot: slot(3) }] })
  })

  it.each<[string, Partial<SchedulePlan>, RunObservation]>([
    ['has begun', forbidB, { state: 'Active', startedAtMs: 0 }],
    ['waits for its next attempt', forbidB, { state: 'Waiting', startedAtMs: 0 }],
    ['waits, and containers of it have run', forbidB, { state: 'Waiting', isUntouched: false }],
    ['has ended', forbidB, { state: 'Ended' }],
    ['is suspended', { ...forbidB, suspended: true }, { state: 'Waiting', isUntouched: true }],
    ['would be refused', { ...forbidB, isHeld: true }, { state: 'Waiting', isUntouched: true }],
  ])('leaves a run alone that %s', (_, change, seen) => {
    const world = home()
    world.lead(slot(0), planOf(forbid))
    world.lead(slot(1), planOf(forbid))
    world.jobs.set(slot(1), seen)
    expect(world.lead(slot(1) + 1, planOf(change))).not.toContain('restart')
  })

  it('leaves jobs in their queue with Allow, and replaces Kubernetes Jobs', () => {
    for (const [place, isReplaced] of [
      ['work', false],
      ['.job', true],
    ] as const) {
      const world = home()
      world.lead(slot(0), planOf({ generation: `a/${place}` }))
      world.lead(slot(1), planOf({ generation: `a/${place}` }))
      expect(world.lead(slot(1) + 1, planOf({ generation: `b/${place}` })).includes('restart')).toBe(isReplaced)
    }
  })

  it('replaces a run by one of another kind', () => {
    const world = home()
    world.lead(slot(0), planOf({ ...forbid, generation: 'a/.job' }))
    world.lead(slot(1), planOf({ ...forbid, generation: 'a/.job' }))
    world.lead(slot(1) + 1, planOf({ ...forbid, generation: 'b/work' }))
    expect(world.ledger?.active).toMatchObject([{ slot: slot(1), generation: 'b/work' }])
  })

  it('does not fire again what a restored broker had started anew', () => {
    const world = home()
    world.lead(slot(0), planOf(forbid))
    world.lead(slot(1), planOf(forbid))
    const { ledger } = world
    world.ledger = { ...ledger!, open: [{ slot: slot(1), state: 'Revoking', generation: 'a', epoch: 1, restarts: true }] }
    const later = slot(9) + 5
    world.lead(later, planOf({ ...forbid, generation: 'b', statusSlot: slot(9) }))
    expect(world.placed).toEqual([])
  })
})

describe('maxRuns', () => {
  const most = (maxRuns: number, change: Partial<SchedulePlan> = {}) => planOf({ ...change, timing: { ...everyMinute, maxRuns } })

  it('dispatches so many slots, and then waits for nothing', () => {
    for (const policy of [{}, forbid]) {
      const world = home()
      for (let index = 0; index <= 5; index++) {
        world.lead(slot(index), most(2, policy))
        for (const placed of world.placed) if (placed <= slot(index)) world.end(placed)
      }
      expect(world.placed).toEqual([slot(1), slot(2)])
      expect(world.ledger).toMatchObject({ dispatched: 2, missed: {}, active: [] })
      expect(world.untilMs).toBeUndefined()
    }
  })

  it('never places more ahead than are left', () => {
    const world = home()
    world.lead(start, planOf({ timing: { everySeconds: 1, maxRuns: 3 } }))
    expect(world.placed).toEqual([start + 1, start + 2, start + 3])
  })

  it('a higher one continues from now on, and no slot of the meantime fires or is missed', () => {
    const world = home()
    for (const index of [0, 1, 5]) world.lead(slot(index), most(1))
    world.lead(slot(5) + 1, most(2))
    expect(world.placed).toEqual([slot(1), slot(6)])
    expect(world.ledger).toMatchObject({ dispatched: 1, missed: {} })
  })

  it('a lower one than were dispatched ends the schedule, and takes back what is placed', () => {
    const world = home()
    for (const index of [0, 1, 2]) world.lead(slot(index), planOf())
    expect(world.placed).toEqual([slot(1), slot(2), slot(3)])
    world.lead(slot(2) + 1, most(1))
    expect(world.placed).toEqual([slot(1), slot(2)])
    expect(world.ledger).toMatchObject({ dispatched: 2, open: [] })
  })

  it('counts no missed slot, and after an outage the slots that the policy picks', () => {
    const world = home()
    world.lead(start, most(2, { ...forbid, ...graph }))
    world.lead(slot(4), most(2, { ...forbid, ...graph }))
    expect(world.missed('Superseded')).toMatchObject({ count: 3 })
    expect(world.ledger).toMatchObject({ dispatched: 1 })
    const all = home()
    all.lead(start, most(2, { missedRuns: 'All', generation: 'a/.execution' }))
    all.lead(slot(4), most(2, { missedRuns: 'All', generation: 'a/.execution' }))
    expect(all.placed).toEqual([slot(1), slot(2)])
    expect(all.ledger).toMatchObject({ dispatched: 2, missed: {} })
  })

  it('counts slots that wait with Queue', () => {
    const world = home()
    const plan = most(2, { concurrencyPolicy: 'Queue' })
    for (const index of [0, 1, 2, 3, 4]) world.lead(slot(index), plan)
    expect(world.placed).toEqual([slot(1)])
    expect(world.ledger).toMatchObject({ dispatched: 1, missed: {}, open: [{ slot: slot(2), state: 'Waiting' }] })
    world.end(slot(1))
    world.lead(slot(5), plan)
    world.end(slot(2))
    world.lead(slot(6), plan)
    expect(world.placed).toEqual([slot(1), slot(2)])
    expect(world.ledger).toMatchObject({ dispatched: 2, missed: {}, open: [] })
    expect(world.untilMs).toBeUndefined()
  })

  it('knows by the status what a lost ledger had dispatched', () => {
    const world = home()
    world.lead(slot(9), most(5, { statusSlot: slot(8), statusDispatched: 5 }))
    expect(world.placed).toEqual([])
    expect(world.ledger).toMatchObject({ dispatched: 5, regressedAtMs: slot(9) * 1000 })
    // After the last run no slot was due, so that none is lost.
    expect(world.ledger?.missed).toEqual({})
  })
})

it('after endTime nothing is due, and an edit that moves it continues from now on', () => {
  const world = home()
  const until = (endTime: Slot) => planOf({ timing: { ...everyMinute, endTime } })
  world.lead(start, until(slot(1)))
  world.lead(slot(1), until(slot(1)))
  world.lead(slot(4), until(slot(1)))
  expect(world.untilMs).toBeUndefined()
  world.lead(slot(4), until(slot(5)))
  expect(world.placed).toEqual([slot(1), slot(5)])
  expect(world.ledger?.missed).toEqual({})
})

it('single times in the past never fire, neither at the creation nor by an edit', () => {
  const world = home()
  world.lead(start, planOf({ timing: { at: [start - 60, slot(2)] } }))
  expect(world.untilMs).toBe((slot(2) - 90) * 1000)
  world.lead(slot(1), planOf({ timing: { at: [start - 60, slot(1) - 5, slot(1), slot(2)] } }))
  world.lead(slot(2), planOf({ timing: { at: [start - 60, slot(1) - 5, slot(1), slot(2)] } }))
  expect(world.placed).toEqual([slot(2)])
  expect(world.ledger).toMatchObject({ dispatched: 1, missed: {} })
  expect(world.untilMs).toBeUndefined()
})
