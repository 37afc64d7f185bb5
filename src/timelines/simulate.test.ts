import { describe, expect, it } from 'vitest'
import { dueAt, parseTiming, type Timing } from '../scheduling/index.ts'
import { type AssumedRun, type Assumptions, simulate, type SimulatedPlan, type Timeline } from './simulate.ts'
import { describeStory, summarizeTimeline } from './words.ts'

const second = (text: string): number => Date.parse(text) / 1000
const start = second('2026-12-01T12:00:00Z')
const minute = 60
const everyMinute: Timing = { everySeconds: minute }

function planOf(change: Partial<SimulatedPlan> = {}): SimulatedPlan {
  const timing = change.timing ?? everyMinute
  const parsed = parseTiming(timing)
  if (!parsed.ok) throw new Error(parsed.message)
  const rest = { concurrencyPolicy: 'Allow', missedRuns: 'Latest', missedRunsLimit: 10, generation: 'a/queue' } as const
  return { ...rest, seed: 'acme/digest', ...change, timing, slots: parsed.slots }
}

/** Slots at minutes 1 to `slots`; the runs in their order, those after the last like it. */
function storyOf(change: Partial<SimulatedPlan>, slots: number, runs: readonly AssumedRun[], outage?: Assumptions['outage']): Timeline {
  const runOf = (slot: number): AssumedRun => runs[Math.min((slot - start) / minute - 1, runs.length - 1)] ?? { takesSeconds: 1 }
  return simulate(planOf(change), { after: start, until: start + slots * minute, runOf, outage })
}

const told = ({ slots }: Timeline): readonly string[] =>
  slots.map((story) => `${story.slot / minute - start / minute} ${describeStory(story, 'UTC')}`)
const takes = (...seconds: readonly number[]): readonly AssumedRun[] => seconds.map((takesSeconds) => ({ takesSeconds }))
const at = (minutes: number): number => start + minutes * minute
const job = { generation: 'a/.job' } as const
const graph = { generation: 'a/.execution' } as const

describe('while a run is active', () => {
  const long = takes(30, 150, 30)
  it.each<[string, Partial<SimulatedPlan>, readonly string[]]>([
    [
      'Allow',
      {},
      ['1 runs until 12:01:30', '2 runs until 12:04:30', '3 runs until 12:03:30', '4 runs until 12:04:30', '5 runs until 12:05:30'],
    ],
    [
      'Forbid',
      { concurrencyPolicy: 'Forbid' },
      ['1 runs until 12:01:30', '2 runs until 12:04:30', '3 missed (Overlap)', '4 missed (Overlap)', '5 runs until 12:05:30'],
    ],
    [
      'Replace, a Kubernetes Job',
      { concurrencyPolicy: 'Replace', ...job },
      [
        '1 runs until 12:01:30',
        '2 runs until 12:03, then it is replaced',
        '3 runs until 12:03:30',
        '4 runs until 12:04:30',
        '5 runs until 12:05:30',
      ],
    ],
    [
      'Replace, a job that is active in a worker',
      { concurrencyPolicy: 'Replace' },
      [
        '1 runs until 12:01:30',
        '2 runs until 12:03, then it is replaced; what runs continues until 12:04:30',
        '3 runs until 12:03:30',
        '4 runs until 12:04:30',
        '5 runs until 12:05:30',
      ],
    ],
    [
      'Queue',
      { concurrencyPolicy: 'Queue', queueLimit: 1 },
      [
        '1 runs until 12:01:30',
        '2 runs until 12:04:30',
        '3 waits 1m30s, runs until 12:05',
        '4 missed (QueueFull)',
        '5 runs until 12:05:30',
      ],
    ],
    [
      'Queue, with a deadline for the start',
      { concurrencyPolicy: 'Queue', startingDeadlineSeconds: 60 },
      [
        '1 runs until 12:01:30',
        '2 runs until 12:04:30',
        '3 missed (StartingDeadlineExceeded)',
        '4 waits 30s, runs until 12:05',
        '5 runs until 12:05:30',
      ],
    ],
    [
      'maxRuns',
      { concurrencyPolicy: 'Forbid', timing: { everySeconds: minute, maxRuns: 3 } },
      ['1 runs until 12:01:30', '2 runs until 12:04:30', '3 missed (Overlap)', '4 missed (Overlap)', '5 runs until 12:05:30'],
    ],
    [
      'maxRuns, of which the last is due early',
      { timing: { everySeconds: minute, maxRuns: 2 } },
      ['1 runs until 12:01:30', '2 runs until 12:04:30'],
    ],
  ])('%s', (_, plan, expected) => {
    expect(told(storyOf(plan, 5, long))).toEqual(expected)
  })
})

describe('after an outage', () => {
  const outage = { from: at(0.5), until: at(4.7) }
  it.each<[string, Partial<SimulatedPlan>, readonly string[]]>([
    [
      'Latest',
      graph,
      [
        '1 missed (Superseded)',
        '2 missed (Superseded)',
        '3 missed (Superseded)',
        '4 waits 42s, runs until 12:04:52',
        '5 runs until 12:05:10',
      ],
    ],
    [
      'Skip',
      { ...graph, missedRuns: 'Skip' },
      ['1 missed (Skipped)', '2 missed (Skipped)', '3 missed (Skipped)', '4 missed (Skipped)', '5 runs until 12:05:10'],
    ],
    [
      'All, one after the other',
      { ...graph, missedRuns: 'All', missedRunsLimit: 3, concurrencyPolicy: 'Queue' },
      [
        '1 missed (TooManyMissed)',
        '2 waits 2m42s, runs until 12:04:52',
        '3 waits 1m52s, runs until 12:05:02',
        '4 waits 1m2s, runs until 12:05:12',
        '5 waits 12s, runs until 12:05:22',
      ],
    ],
    [
      'All with Forbid, of which only the first runs, and a deadline',
      { ...graph, missedRuns: 'All', missedRunsLimit: 2, concurrencyPolicy: 'Forbid', startingDeadlineSeconds: 180 },
      [
        '1 missed (StartingDeadlineExceeded)',
        '2 missed (TooManyMissed)',
        '3 waits 1m42s, runs until 12:04:52',
        '4 missed (Overlap)',
        '5 runs until 12:05:10',
      ],
    ],
    [
      'a deadline that all exceed',
      { ...graph, startingDeadlineSeconds: 10 },
      [1, 2, 3, 4].map((index) => `${index} missed (StartingDeadlineExceeded)`).concat('5 runs until 12:05:10'),
    ],
    [
      'jobs that were placed ahead run without an operator',
      {},
      [
        '1 runs until 12:01:10',
        '2 missed (Superseded)',
        '3 missed (Superseded)',
        '4 waits 42s, runs until 12:04:52',
        '5 runs until 12:05:10',
      ],
    ],
  ])('%s', (_, plan, expected) => {
    expect(told(storyOf(plan, 5, takes(10), outage))).toEqual(expected)
  })

  it('of more slots than one decision walks over, each has a reason', () => {
    const timing: Timing = { schedules: ['* * * * *'], timeZone: 'UTC' }
    const { slots } = storyOf({ ...graph, timing, missedRuns: 'All', missedRunsLimit: 2 }, 300, takes(1), {
      from: at(0.5),
      until: at(299.5),
    })
    expect(slots).toHaveLength(300)
    expect(slots.filter(({ missed }) => missed === 'TooManyMissed')).toHaveLength(297)
    expect(slots.filter(({ startedAt }) => startedAt !== undefined).map(({ slot }) => slot)).toEqual([at(298), at(299), at(300)])
  })
})

describe('a run that does not end, or does not start', () => {
  const forbid = { concurrencyPolicy: 'Forbid', ...job } as const
  const never: AssumedRun = { takesSeconds: 10, startsAfterSeconds: Infinity }
  it.each<[string, Partial<SimulatedPlan>, readonly AssumedRun[], readonly string[]]>([
    [
      'runDeadlineSeconds',
      { ...forbid, runDeadlineSeconds: 90 },
      takes(170, 10),
      [
        '1 runs until 12:02:30, then it counts as failed (RunDeadlineExceeded); what runs continues until 12:03:50',
        '2 missed (Overlap)',
        '3 runs until 12:03:10',
      ],
    ],
    [
      'runDeadlineSeconds and onDeadline Cancel',
      { ...forbid, runDeadlineSeconds: 90, onDeadline: 'Cancel' },
      takes(170, 10),
      ['1 runs until 12:02:30, then it counts as failed (RunDeadlineExceeded)', '2 missed (Overlap)', '3 runs until 12:03:10'],
    ],
    [
      'pendingDeadlineSeconds',
      { ...forbid, pendingDeadlineSeconds: 90 },
      [never, ...takes(10)],
      ['1 does not start: PendingDeadlineExceeded at 12:02:30', '2 missed (Overlap)', '3 runs until 12:03:10'],
    ],
    ['no deadline', {}, [never, ...takes(10)], ['1 waits, and nothing starts it', '2 runs until 12:02:10', '3 runs until 12:03:10']],
    [
      'dependsOnPast, after a failure',
      { concurrencyPolicy: 'Queue', dependsOnPast: true },
      [{ takesSeconds: 10, fails: true }],
      ['1 runs until 12:01:10, then it counts as failed (Failed)', '2 waits, and nothing starts it', '3 waits, and nothing starts it'],
    ],
  ])('%s', (_, plan, runs, expected) => {
    expect(told(storyOf(plan, 3, runs))).toEqual(expected)
  })
})

/** Each policy with each other: whatever the runs and the outage are like, these hold. */
const policies = (['Allow', 'Forbid', 'Replace', 'Queue'] as const).flatMap((concurrencyPolicy) =>
  (['Latest', 'Skip', 'All'] as const).flatMap((missedRuns) =>
    concurrencyPolicy === 'Replace' && missedRuns === 'All'
      ? []
      : ['a/queue', 'a/.job', 'a/.execution'].map((generation) => ({ concurrencyPolicy, missedRuns, generation })),
  ),
)

it.each(policies)('$concurrencyPolicy, $missedRuns, $generation: each slot runs or is missed, and the policy holds', (policy) => {
  for (const seconds of [5, 59, 60, 61, 200, 1_000]) {
    for (const outage of [undefined, { from: at(1.2), until: at(7.4) }, { from: at(0.1), until: at(40) }]) {
      const plan = { ...policy, queueLimit: 3, missedRunsLimit: 4, startingDeadlineSeconds: 240 }
      const { slots } = storyOf(plan, 12, takes(seconds, 20, seconds), outage)
      expect(slots.map(({ slot }) => slot)).toEqual(Array.from({ length: 12 }, (_, index) => at(index + 1)))
      for (const { missed, startedAt } of slots) expect([missed === undefined, startedAt === undefined]).toContain(false)
      for (const { missed, startedAt } of slots) expect(missed !== undefined && startedAt !== undefined).toBe(false)
      const begun = slots.filter(({ startedAt }) => startedAt !== undefined).toSorted((a, b) => (a.startedAt ?? 0) - (b.startedAt ?? 0))
      // Slots start in their order, never before their time, and but for Allow never beside another that counts.
      expect(begun.map(({ slot }) => slot)).toEqual(begun.map(({ slot }) => slot).toSorted((a, b) => a - b))
      for (const [index, { slot, startedAt = 0 }] of begun.entries()) {
        expect(startedAt).toBeGreaterThanOrEqual(slot)
        const before = begun[index - 1]?.outcome
        if (policy.concurrencyPolicy !== 'Allow' && before !== undefined) expect(startedAt).toBeGreaterThanOrEqual(before.at)
      }
    }
  }
})

it('with dependsOnPast, slots continue in order when a run by hand has succeeded', () => {
  const plan = planOf({ concurrencyPolicy: 'Queue', dependsOnPast: true })
  const runOf = (slot: number): AssumedRun => ({ takesSeconds: 20, fails: slot === at(1) })
  const timeline = simulate(plan, { after: start, until: at(4), runOf, byHand: { from: at(2.5), until: at(3.25) } })
  expect(told(timeline)).toEqual([
    '1 runs until 12:01:20, then it counts as failed (Failed)',
    '2 waits 1m15s, runs until 12:03:35',
    '3 waits 35s, runs until 12:03:55',
    '4 runs until 12:04:20',
  ])
})

it('a time on another day than that of the slot has its day', () => {
  const night = { slot: second('2026-12-01T22:30:00Z'), startedAt: second('2026-12-01T22:40:00Z'), endedAt: second('2026-12-01T23:10:00Z') }
  const story = { ...night, outcome: { reason: 'Succeeded' as const, at: night.endedAt } }
  expect(describeStory(story, 'UTC')).toBe('waits 10m, runs until 23:10')
  expect(describeStory(story, 'Europe/Berlin')).toBe('waits 10m, runs until Wed 2026-12-02 00:10')
})

it('a timeline says in one line what becomes of its slots', () => {
  expect(summarizeTimeline(storyOf({ concurrencyPolicy: 'Forbid' }, 5, takes(30, 150, 30)))).toBe('5 slots: 3 run, 2 missed (2 Overlap)')
  expect(summarizeTimeline(storyOf({}, 1, takes(30)))).toBe('1 slot: 1 run, 0 missed')
})

it('starts delayed runs at the end of their delays, which is no wait', () => {
  const timing = { ...everyMinute, jitterSeconds: 50 }
  const timeline = storyOf({ timing, ...job }, 3, takes(30))
  const delays = timeline.slots.map(({ slot, startedAt = 0, dueAt: due = slot }) => [startedAt - slot, due - slot])
  expect(delays).toHaveLength(3)
  expect(delays.every(([started = 0, due]) => started > 0 && started === due)).toBe(true)
  expect(told(timeline).join()).not.toContain('waits')
})

it('delays the last slot as if the schedule went on', () => {
  const timing = { ...everyMinute, jitterSeconds: 3_000 }
  const { slots } = storyOf({ timing, ...job }, 3, takes(30))
  expect(slots.map((story) => story.dueAt ?? story.slot)).toEqual(slots.map(({ slot }) => dueAt(planOf({ timing }), slot)))
})
