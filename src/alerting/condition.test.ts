import { describe, expect, it } from 'vitest'
import { type AlertCondition, limitOf, measure, minutesOf } from './condition.ts'
import type { Facts } from './facts.ts'
import { duration } from './words.ts'

const now = Date.parse('2026-11-29T03:00:00Z')
const at = (time: string): number => Date.parse(`2026-11-29T${time}Z`)
const counts = (failed: number, succeeded: number, missed = 0): Facts => ({ kind: 'Counts', failed, succeeded, missed })
const failures: AlertCondition = { kind: 'taskFailures', moreThan: 2, windowSeconds: 300 }
const rate = { kind: 'failureRate', abovePercent: 10, minimumRuns: 20, windowSeconds: 300 } as const
const backlog: AlertCondition = { kind: 'queueBacklog', above: 1000 }
const latency: AlertCondition = { kind: 'queueLatency', aboveSeconds: 30 }
const missed: AlertCondition = { kind: 'scheduleMissed', moreThan: 0, windowSeconds: 86_400 }
const noSuccess: AlertCondition = { kind: 'noSuccess', windowSeconds: 3600 }
const paused = { words: 'TaskQueue "mail" is suspended (spec.suspend)' }
const successes = (last: string | undefined, counted: number | undefined, created = '00:00:00', resumed?: string): Facts => ({
  kind: 'Successes',
  createdAtMs: at(created),
  lastSuccessAtMs: last === undefined ? undefined : at(last),
  counted,
  resumedAtMs: resumed === undefined ? undefined : at(resumed),
})

describe('a value', () => {
  it.each<[AlertCondition, Facts, string]>([
    [failures, counts(2, 7), 'no: 2 failures of 9 runs'],
    [failures, counts(3, 0), 'yes: 3 failures of 3 runs'],
    [failures, counts(0, 0), 'no: 0 failures of 0 runs'],
    [rate, counts(69, 231), 'yes: 23% (69/300)'],
    [rate, counts(10, 90), 'no: 10% (10/100)'],
    [rate, counts(101, 899), 'yes: 10.1% (101/1000)'],
    [rate, counts(19, 0), 'unknown: TooFewRuns: 19 runs ended, a rate takes 20'],
    [rate, counts(0, 0), 'unknown: TooFewRuns: 0 runs ended, a rate takes 20'],
    [{ ...rate, minimumRuns: 0 }, counts(0, 0), 'unknown: TooFewRuns: 0 runs ended, a rate takes 1'],
    [backlog, { kind: 'Backlog', jobs: 1000 }, 'no: 1,000 jobs waiting'],
    [backlog, { kind: 'Backlog', jobs: 1001 }, 'yes: 1,001 jobs waiting'],
    [latency, { kind: 'Backlog', jobs: 0 }, 'no: no job waits'],
    [
      latency,
      { kind: 'Backlog', jobs: 1, oldestReadyAtMs: at('02:59:30') },
      'no: oldest of 1 job waits since 2026-11-29T02:59:30Z, until 03:00:01',
    ],
    [latency, { kind: 'Backlog', jobs: 312, oldestReadyAtMs: at('02:59:29') }, 'yes: oldest of 312 jobs waits since 2026-11-29T02:59:29Z'],
    // A clock that is behind the broker's.
    [
      latency,
      { kind: 'Backlog', jobs: 1, oldestReadyAtMs: at('03:00:10') },
      'no: oldest of 1 job waits since 2026-11-29T03:00:10Z, until 03:00:41',
    ],
    [missed, counts(9, 9, 0), 'no: 0 slots missed'],
    [missed, counts(0, 0, 1), 'yes: 1 slot missed'],
    [noSuccess, successes('02:30:00', 0), 'no: last success 2026-11-29T02:30:00Z, until 03:30:01'],
    [noSuccess, successes('02:30:00', undefined), 'no: last success 2026-11-29T02:30:00Z, until 03:30:01'],
    [noSuccess, successes('01:00:00', 0), 'yes: last success 2026-11-29T01:00:00Z'],
    [noSuccess, { ...successes('01:00:00', 0), nextDueMs: Infinity } as Facts, 'no: no slot is left, so no success is expected'],
    [noSuccess, successes('01:00:00', 2), 'no: 2 successes in 1h'],
    [
      noSuccess,
      successes('01:00:00', undefined),
      'unknown: BrokerUnreachable: last success 2026-11-29T01:00:00Z; the broker cannot be asked for a later one',
    ],
    [noSuccess, successes(undefined, 0), 'yes: no success since its creation 2026-11-29T00:00:00Z'],
    [noSuccess, successes(undefined, 0, '02:59:00'), 'no: no success since its creation 2026-11-29T02:59:00Z, until 03:59:01'],
    // A schedule that was created anew continues the ledger of the former one.
    [noSuccess, successes('01:00:00', 0, '02:59:00'), 'no: last success 2026-11-29T02:59:00Z, until 03:59:01'],
    // Not what waits on purpose: no reason to fire, and none for an all-clear.
    [backlog, { kind: 'Backlog', jobs: 1001, suspended: { jobs: 5, ...paused } }, 'yes: 1,001 jobs waiting'],
    [backlog, { kind: 'Backlog', jobs: 1000, suspended: { jobs: 0, ...paused } }, 'no: 1,000 jobs waiting'],
    [
      backlog,
      { kind: 'Backlog', jobs: 996, suspended: { jobs: 5, ...paused } },
      'unknown: TargetSuspended: 1,001 jobs waiting, but TaskQueue "mail" is suspended (spec.suspend)',
    ],
    [
      latency,
      { kind: 'Backlog', jobs: 1, oldestReadyAtMs: at('02:59:50'), suspended: { jobs: 2, oldestReadyAtMs: at('02:59:45'), ...paused } },
      'no: oldest of 1 job waits since 2026-11-29T02:59:50Z, until 03:00:16',
    ],
    [
      latency,
      { kind: 'Backlog', jobs: 1, oldestReadyAtMs: at('02:59:50'), suspended: { jobs: 2, oldestReadyAtMs: at('02:00:00'), ...paused } },
      'unknown: TargetSuspended: oldest of 3 jobs waits since 2026-11-29T02:00:00Z, but TaskQueue "mail" is suspended (spec.suspend)',
    ],
    [
      noSuccess,
      successes('01:00:00', 0, '00:00:00', '02:30:00'),
      'no: last success 2026-11-29T01:00:00Z, suspended until 2026-11-29T02:30:00Z, until 03:30:01',
    ],
    [
      noSuccess,
      successes('01:00:00', 0, '00:00:00', '01:30:00'),
      'yes: last success 2026-11-29T01:00:00Z, suspended until 2026-11-29T01:30:00Z',
    ],
    [noSuccess, successes('01:00:00', 0, '00:00:00', '00:30:00'), 'yes: last success 2026-11-29T01:00:00Z'],
    [
      failures,
      { kind: 'Unknown', reason: 'TargetNotFound', message: 'there is no such pool' },
      'unknown: TargetNotFound: there is no such pool',
    ],
  ])('of %j with %j: %s', (condition, facts, expected) => {
    const found = measure(condition, facts, now)
    if (!found.known) return expect(`unknown: ${found.reason}: ${found.message}`).toBe(expected)
    const until = found.changesAtMs === undefined ? '' : `, until ${new Date(found.changesAtMs).toISOString().slice(11, 19)}`
    expect(`${found.holds ? 'yes' : 'no'}: ${found.text}${until}`).toBe(expected)
    return undefined
  })

  it('is not judged while the target is suspended, where it is above the threshold', () => {
    expect(measure(failures, counts(3, 0), now, paused)).toEqual({
      known: false,
      reason: 'TargetSuspended',
      message: '3 failures of 3 runs, but TaskQueue "mail" is suspended (spec.suspend)',
    })
    expect(measure(failures, counts(2, 0), now, paused)).toMatchObject({ known: true, holds: false })
    expect(measure(rate, counts(1, 0), now, paused)).toMatchObject({ known: false, reason: 'TooFewRuns' })
  })

  it('of which the broker has lost a part is certain only above a threshold', () => {
    const lost = { lostUntilMs: at('03:05:00') }
    const words = 'the broker has lost a part of its counts, which are complete again at 2026-11-29T03:05:00Z'
    const of = (condition: AlertCondition, facts: object) => measure(condition, { ...facts, ...lost } as Facts, now)
    expect(of(failures, counts(3, 0))).toMatchObject({ known: true, holds: true })
    expect(of(failures, counts(2, 0))).toEqual({
      known: false,
      reason: 'CountsLost',
      message: `at least 2 failures of 2 runs; ${words}`,
    })
    expect(of(rate, counts(20, 0))).toMatchObject({ known: false, reason: 'CountsLost' })
    expect(of(noSuccess, successes('02:30:00', 0))).toMatchObject({ known: true, holds: false })
    expect(of(noSuccess, successes('01:00:00', 1))).toMatchObject({ known: true, holds: false })
    expect(of(noSuccess, successes('01:00:00', 0))).toEqual({
      known: false,
      reason: 'CountsLost',
      message: `last success 2026-11-29T01:00:00Z; ${words}`,
    })
  })

  it('is the other one at the moment that it names, and not before', () => {
    const facts = successes('02:30:00', 0)
    const found = measure(noSuccess, facts, now)
    const changesAtMs = found.known ? (found.changesAtMs ?? 0) : 0
    expect(measure(noSuccess, facts, changesAtMs - 1)).toMatchObject({ holds: false })
    expect(measure(noSuccess, facts, changesAtMs)).toMatchObject({ holds: true })
  })

  it('is not made of facts of another kind', () => {
    expect(() => measure(backlog, counts(1, 1), now)).toThrow('facts of kind Counts, Backlog are needed')
  })
})

it('a window of whole minutes is covered whatever the second', () => {
  for (const second of [0, 1, 30, 59]) {
    const nowMs = now + second * 1000
    const { fromMinute, toMinute } = minutesOf(300, nowMs)
    expect(fromMinute * 60_000).toBeLessThanOrEqual(nowMs - 300_000)
    expect(fromMinute * 60_000).toBeGreaterThan(nowMs - 360_000)
    expect(toMinute).toBe(Math.floor(nowMs / 60_000))
  }
})

it('a threshold reads like the spec', () => {
  expect([failures, rate, backlog, latency, missed, noSuccess].map(limitOf)).toEqual([
    '> 2 in 5m',
    '> 10% in 5m',
    '> 1000',
    'longer than 30s',
    '> 0 in 1d',
    'longer ago than 1h',
  ])
})

it.each([
  [0, '0s'],
  [45, '45s'],
  [60, '1m'],
  [90, '90s'],
  [150, '2m30s'],
  [5400, '1h30m'],
  [90_000, '1d1h'],
])('%i seconds are %s', (seconds, text) => {
  expect(duration(seconds)).toBe(text)
})
