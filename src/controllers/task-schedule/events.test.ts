import { expect, it } from 'vitest'
import type { TaskSchedule, TaskScheduleStatus } from '../../api/index.ts'
import type { Change, Ledger } from '../../scheduling/index.ts'
import { changeEvents, transitionEvents } from './events.ts'
import type { Blockages, UnreportedMisses } from './gather.ts'

const slot = Date.UTC(2026, 10, 15) / 1000
const ledger: Ledger = {
  v: 1,
  timing: { everySeconds: 60, suspended: false },
  cursor: slot,
  open: [],
  active: [{ slot: slot - 60, dispatchedAtMs: 0, generation: 'a/b' }],
  dispatched: 1,
  consecutiveFailures: 0,
  missed: {},
}
const schedule = { metadata: { name: 'report' } } as unknown as TaskSchedule
const missed = (count: number, lastSlot: number): Change => ({ kind: 'Missed', reason: 'Overlap', count, lastSlot })

const next =
  'Next: find out why the run takes longer than the interval, or let slots wait (concurrencyPolicy: Queue), end the run (Replace) or overlap (Allow)'

it('tells the first missed slot of a reason at once, and the others ten minutes later in one', () => {
  const unreported: UnreportedMisses = new Map()
  const notesAt = (changes: readonly Change[], nowMs: number) =>
    changeEvents(changes, { ledger }, { schedule, unreported }, nowMs).map(({ note }) => note)
  expect(notesAt([missed(1, slot)], 0)).toEqual([`slot 2026-11-15T00:00Z: Overlap, run 2026-11-14T23:59Z is active. ${next}`])
  expect(notesAt([missed(1, slot + 60)], 60_000)).toEqual([])
  expect(notesAt([missed(2, slot + 180)], 599_000)).toEqual([])
  expect(notesAt([missed(1, slot + 600)], 600_000)).toEqual([
    `4 slots, the newest 2026-11-15T00:10Z: Overlap, run 2026-11-14T23:59Z is active. ${next}`,
  ])
})

it('tells what keeps the run that a slot overlaps', () => {
  const blockage = {
    slot: ledger.active[0]!.slot,
    reason: 'PodFailing',
    message: 'job/x: pod p: ImagePullBackOff',
    hasBegun: false,
  } as const
  const blockages = { blocked: [blockage], unknown: new Set<number>() }
  const [event] = changeEvents([missed(1, slot)], { ledger }, { schedule, unreported: new Map(), blockages }, 0)
  expect(event?.note).toBe(
    `slot 2026-11-15T00:00Z: Overlap, run 2026-11-14T23:59Z is active and blocked (PodFailing): job/x: pod p: ImagePullBackOff. ${next}`,
  )
})

it('tells what keeps that run by the status while this process has not looked at it yet', () => {
  const status = (message: string): TaskScheduleStatus => ({
    observedGeneration: 1,
    conditions: [{ type: 'Blocked', status: 'True', reason: 'NoPool', message, lastTransitionTime: '' }],
  })
  const words = 'its job is queued in mail (no pool). Next: create a WorkerPool'
  const held = '. With Forbid, slots are missed until that run ends; an edit of the template starts it anew'
  const noteWith = (message: string, blockages?: Blockages) =>
    changeEvents([missed(1, slot)], { ledger, status: status(message) }, { schedule, unreported: new Map(), blockages }, 0)[0]?.note
  const told = `slot 2026-11-15T00:00Z: Overlap, run 2026-11-14T23:59Z is active and blocked (NoPool): ${words}. ${next}`
  const untold = `slot 2026-11-15T00:00Z: Overlap, run 2026-11-14T23:59Z is active. ${next}`
  expect(noteWith(`run of slot 2026-11-14T23:59Z: ${words}${held}`)).toBe(told)
  expect(noteWith(`run of slot 2026-11-14T23:59Z and 2 more runs: ${words}`, { blocked: [], unknown: new Set([slot - 60]) })).toBe(told)
  // It was about another run, or this process has looked: nothing blocks it any more.
  expect(noteWith(`run of slot 2026-11-14T23:58Z: ${words}`)).toBe(untold)
  expect(noteWith(`run of slot 2026-11-14T23:59Z: ${words}`, { blocked: [], unknown: new Set() })).toBe(untold)
})

it('tells once that a run is blocked, and again when something else blocks it', () => {
  const statusWith = (reason: string | undefined): TaskScheduleStatus => ({
    observedGeneration: 1,
    conditions: reason === undefined ? [] : [{ type: 'Blocked', status: 'True', reason, message: 'm', lastTransitionTime: '' }],
  })
  const reasons = (before: string | undefined, after: string | undefined) =>
    transitionEvents(statusWith(before), statusWith(after)).map(({ reason, note }) => `${reason} ${note}`)
  expect(reasons(undefined, 'NoPool')).toEqual(['RunBlocked NoPool: m'])
  expect(reasons('NoPool', 'NoPool')).toEqual([])
  expect(reasons('NoPool', 'QueueSuspended')).toEqual(['RunBlocked QueueSuspended: m'])
  expect(reasons('NoPool', undefined)).toEqual([])
})

it('tells once that it is late, and again when it is late for another reason', () => {
  const statusWith = (status: 'True' | 'False', reason: string): TaskScheduleStatus => ({
    observedGeneration: 1,
    conditions: [{ type: 'Late', status, reason, message: 'm', lastTransitionTime: '' }],
  })
  const inTime = statusWith('False', 'InTime')
  const overdue = statusWith('True', 'SlotOverdue')
  const events = (before: TaskScheduleStatus | undefined, after: TaskScheduleStatus) =>
    transitionEvents(before, after).map(({ type, reason, note }) => `${type} ${reason} ${note}`)
  expect(events(undefined, overdue)).toEqual(['Warning RunLate SlotOverdue: m'])
  expect(events(inTime, overdue)).toEqual(['Warning RunLate SlotOverdue: m'])
  expect(events(overdue, overdue)).toEqual([])
  expect(events(overdue, statusWith('True', 'NotStarted'))).toEqual(['Warning RunLate NotStarted: m'])
  expect(events(overdue, inTime)).toEqual([])
})

it('tells each failure, and of successes the first after failures', () => {
  const run = { slot, succeeded: false, reason: 'AttemptsExhausted', message: 'timeout', finishedAtMs: 0 } as const
  const changes: readonly Change[] = [
    { kind: 'RunEnded', run, dueAt: 0, failuresBefore: 2 },
    { kind: 'RunEnded', run: { ...run, succeeded: true, reason: 'Succeeded' }, dueAt: 0, failuresBefore: 3 },
    { kind: 'RunEnded', run: { ...run, succeeded: true, reason: 'Succeeded' }, dueAt: 0, failuresBefore: 0 },
    { kind: 'Dispatched', slot, dueAt: slot, atMs: 0 },
  ]
  const events = changeEvents(changes, { ledger }, { schedule, unreported: new Map() }, 0)
  expect(events.map(({ type, reason, note }) => [type, reason, note])).toEqual([
    [
      'Warning',
      'RunFailed',
      'AttemptsExhausted: slot 2026-11-15T00:00Z: "timeout". Next: correct the cause; taskmill run tsch/report runs it once more',
    ],
    ['Normal', 'RunRecovered', 'slot 2026-11-15T00:00Z: succeeded after 3 failures'],
  ])
})

it('tells of a run that was replaced once, and not as a failure', () => {
  const run = {
    slot,
    succeeded: false,
    reason: 'Replaced',
    message: 'replaced by the run of slot 2026-11-15T00:01:00Z',
    finishedAtMs: 0,
  } as const
  const events = changeEvents([{ kind: 'RunEnded', run, dueAt: 0, failuresBefore: 1 }], { ledger }, { schedule }, 0)
  expect(events).toMatchObject([
    {
      type: 'Normal',
      reason: 'RunReplaced',
      note: 'slot 2026-11-15T00:00Z: "replaced by the run of slot 2026-11-15T00:01:00Z". Next: nothing, unless no run ever succeeds: then runs take longer than the interval',
    },
  ])
})

it('tells of many runs that end at once for the same reason in one', () => {
  const ended = (after: number, reason: 'Replaced' | 'RunDeadlineExceeded'): Change => ({
    kind: 'RunEnded',
    run: { slot: slot + after, succeeded: false, reason, message: 'm', finishedAtMs: 0 },
    dueAt: 0,
    failuresBefore: 0,
  })
  const changes = [ended(0, 'Replaced'), ended(60, 'RunDeadlineExceeded'), ended(120, 'Replaced'), ended(180, 'Replaced')]
  const notes = changeEvents(changes, { ledger }, { schedule }, 0).map(({ reason, note }) => `${reason} ${note}`)
  expect(notes).toEqual([
    expect.stringMatching(/^RunReplaced 3 runs, the newest: slot 2026-11-15T00:03Z: "m"\. Next: /u),
    expect.stringMatching(/^RunFailed RunDeadlineExceeded: slot 2026-11-15T00:01Z: "m"\. Next: /u),
  ])
})

it('tells once that a schedule is completed, and why', () => {
  const completed: TaskScheduleStatus = {
    observedGeneration: 1,
    conditions: [
      {
        type: 'Ready',
        status: 'True',
        reason: 'Completed',
        message: 'all 9 runs of maxRuns were dispatched',
        lastTransitionTime: '2026-11-15T00:00:00Z',
      },
    ],
  }
  expect(transitionEvents(undefined, completed)).toMatchObject([
    { type: 'Normal', reason: 'Completed', note: 'all 9 runs of maxRuns were dispatched' },
  ])
  expect(transitionEvents(completed, completed)).toEqual([])
})
