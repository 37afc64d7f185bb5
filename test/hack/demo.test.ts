import { stripVTControlCharacters } from 'node:util'
import { expect, it, test } from 'vitest'
import { accountOfAlert, demoAlert, notifiedStates } from '../../hack/demo/alert.ts'
import { missingKinds } from '../../hack/demo/kinds.ts'
import { timelineOf } from '../../hack/demo/timeline.ts'
import { accountOfRuns, demoRuns, runsHaveEnded } from '../../hack/demo/runs.ts'
import { accountOf, dueSlots } from '../../hack/demo/slots.ts'
import {
  emptyState,
  type AlertView,
  type AssistantState,
  type DemoState,
  type ExpectedRun,
  type RunView,
  type ScheduleView,
} from '../../hack/demo/state.ts'
import { problems, renderSummary } from '../../hack/demo/summary.ts'
import { renderFrame, renderLine, sparkline } from '../../hack/demo/view.ts'

const startMs = Date.parse('2026-11-24T09:00:00Z')
const slot = (second: number) => new Date(startMs + second * 1000).toISOString().replace('.000Z', 'Z')
const schedule = (name: string, spec: ScheduleView['spec'], missed = 0): ScheduleView => ({
  name,
  spec,
  status: {
    observedGeneration: 1,
    nextRuns: [slot(0), slot(62)],
    lastResult: 'Succeeded',
    missedRuns: [{ reason: 'Overlap', count: missed, lastSlotTime: slot(20) }],
  },
})
const runOf = (name: string, expected: ExpectedRun, more: Partial<RunView> = {}): RunView => ({
  name,
  status: {
    observedGeneration: 1,
    state: expected.outcome as 'Succeeded',
    progress: '6/6',
    startTime: slot(1),
    finishTime: slot(9),
    durationSeconds: 8,
    nodeTable: ['NODE      STATE', 'calendar  Succeeded'],
  },
  ...more,
})
const expected = {
  away: demoRuns['morning-without-pages.yaml']!,
  fails: demoRuns['morning-without-calendar.yaml']!,
  well: demoRuns['morning.yaml']!,
}
const bookOf = (steps: Readonly<Record<string, number>>) => ({ beganMs: startMs + 1_000, steps })
const alert: AlertView = {
  name: demoAlert,
  severity: 'Critical',
  status: {
    observedGeneration: 1,
    state: 'Inactive',
    sinceTime: slot(60),
    transitions: [
      { sequence: 1, state: 'Firing', changeTime: slot(10), value: '1 failed > 0 in 1m', amount: '1' },
      { sequence: 2, state: 'Resolved', changeTime: slot(60), value: '0 failed', amount: '0' },
    ],
    notifications: [{ channel: 'log', sequence: 2, state: 'Resolved', decisionTime: slot(60), delivery: 'Delivered' }],
  },
}
/** Of the other examples: every 20 s from second 5 on, and each minute. */
const otherSlots: AssistantState['slots'] = {
  'public-data/check': Object.fromEntries([5, 25, 45].map((second) => [slot(second), [1, startMs + second * 1000 + 30] as const])),
  'reports/backup': { [slot(60)]: [1, startMs + 63_000] },
}
/** One minute in which two schedules had six and two slots, each run 20 ms after it was due. */
const assistant: AssistantState = {
  ...emptyState(0).assistant,
  pools: ['ai', 'email'].map((name) => ({ name, status: undefined })),
  schedules: [schedule('often', { everySeconds: 10 }), schedule('twice', { schedules: ['5,35 * * * * *'] })],
  others: {
    'public-data': [schedule('public-data/check', { everySeconds: 20, offsetSeconds: 5 })],
    reports: [schedule('reports/backup', { schedules: ['* * * * *'], engine: 'CronJob' })],
  },
  window: { fromMs: startMs, untilMs: startMs + 60_000, counts: { plain: 2, priority: 2, delayed: 1 } },
  jobs: { added: 5, done: 5, missing: 0, twice: 0, inOrder: 2 },
  slots: {
    often: Object.fromEntries([10, 20, 30, 40, 50, 60].map((second) => [slot(second), [1, startMs + second * 1000 + 20] as const])),
    twice: Object.fromEntries([5, 35].map((second) => [slot(second), [1, startMs + second * 1000 + 1500] as const])),
    ...otherSlots,
  },
  runs: Object.entries(expected).map(([name, wanted]) => runOf(name, wanted)),
  expected,
  graphs: Object.fromEntries(Object.entries(expected).map(([name, { steps }]) => [name, bookOf(steps)])),
  alerts: [alert],
  firstSeenMs: { fails: 12_000, [`${demoAlert} Firing`]: 12_400 },
  told: ['firing', 'resolved'],
}
const state: DemoState = {
  ...emptyState(0),
  replicas: [
    { atMs: 0, replicas: 0 },
    { atMs: 10_000, replicas: 6 },
    { atMs: 40_000, replicas: 0 },
  ],
  tally: { added: 2050, done: 2050, missing: 0, twice: 0 },
  firstAddedAtMs: 9_950,
  firstScaleAtMs: 10_020,
  firstReadyAtMs: 12_150,
  assistant,
}

it('draws the replicas over time, each value until the next', () => {
  expect(sparkline(state.replicas, 0, 50_000, 10)).toBe('  ██████  ')
  expect(sparkline([], 0, 1000, 4)).toBe('    ')
})

test.each([60, 80, 140])('draws frames of equal height, within %d columns and the rows that there are', (columns) => {
  const empty = renderFrame(emptyState(0), 0, columns)
  const event = { atMs: startMs, reason: 'ScaledUp', note: 'x'.repeat(200) }
  const full = renderFrame({ ...state, events: [event], pods: [{ name: 'a', phase: 'Running', ready: true }] }, startMs + 61_000, columns)
  expect(full).toHaveLength(empty.length)
  const text = full.map((line) => stripVTControlCharacters(line))
  expect(Math.max(...text.map((line) => line.length))).toBeLessThanOrEqual(columns)
  expect(renderFrame(state, startMs, columns, 24)).toHaveLength(23)
  // Where there is no room for the table of schedules they are one line, and what is new is still seen.
  const short = renderFrame(state, startMs + 61_000, columns, full.length).map((line) => stripVTControlCharacters(line))
  expect(short.length).toBeLessThan(full.length)
  expect(short.find((line) => line.includes('schedules'))).toContain('4: 12 slots were due, 12 ran, 0 missed')
  expect(short.findLast((line) => line.trim() !== '')).toContain('is resolve')
})

it('shows each schedule with its next slot, its last result and its counts', () => {
  const text = renderFrame(state, startMs + 61_000, 80).map((line) => stripVTControlCharacters(line))
  expect(text.find((line) => line.includes('often'))).toMatch(/^ {2}often +in 1 s +Succeeded +0 +6 +6 +0 +0$/u)
  expect(text.find((line) => line.includes('schedule'))).toMatch(/NEXT +RESULT +FAILS +DUE +RAN +MISSED +TWICE$/u)
  expect(renderLine(state, 60_000)).toContain('01:00  replicas 0')
  expect(renderLine(state, startMs + 61_000)).toContain('people 5/5, slots 8/8')
})

it('shows the runs with what they wait for, the nodes of one of them, and the alerts', () => {
  const running = runOf('away', expected.away)
  const status = { ...running.status!, state: 'Running' as const, finishTime: undefined as never, waitingFor: 'summary queued in ai_tasks' }
  const lines = renderFrame({ ...state, assistant: { ...assistant, runs: [{ ...running, status }] } }, startMs + 5_000, 100)
  const text = lines.map((line) => stripVTControlCharacters(line)).join('\n')
  expect(text).toMatch(/away +Running +6\/6 +4s +summary queued in ai_tasks\n/u)
  expect(text).toMatch(/nodes of away\n +NODE +STATE\n +calendar +Succeeded\n/u)
  expect(text).toMatch(/alert +SEVERITY +STATE +SINCE +VALUE +TOLD\n +morning-summary-failing +Critical +Inactive +0s +- +log: resolved\n/u)
  expect(renderLine(state, startMs)).toContain('runs 3/3, alerts firing 0')
})

it('tells what has happened, in its order', () => {
  const failed = runOf('fails', expected.fails)
  const runs = [
    { ...failed, status: { ...failed.status!, failureMessage: 'calendar: AttemptsExhausted' } },
    { name: 'new', status: undefined },
  ]
  const timeline = timelineOf({
    ...state,
    assistant: { ...assistant, runs },
    events: [{ atMs: startMs, reason: 'ScaledUp', note: '0 -> 6' }],
  })
  expect(timeline.map(({ atMs, text }) => `${(atMs - startMs) / 1000} ${text}`)).toEqual([
    '0 ScaledUp 0 -> 6',
    '9 run fails Failed, 6/6: calendar: AttemptsExhausted',
    '10 alert morning-summary-failing (Critical) fires: 1 failed > 0 in 1m',
    '60 alert morning-summary-failing is resolved: 0 failed',
  ])
})

it('holds each run against the steps that it had to come to', () => {
  const scheduled = (second: number) => ({ schedule: 'morning', slot: slot(second) })
  const of = (runs: readonly RunView[], graphs: AssistantState['graphs']) => accountOfRuns({ ...assistant, runs, graphs })
  expect(accountOfRuns(assistant)).toMatchObject({
    byHand: 3,
    bySchedule: 0,
    ended: 3,
    asExpected: 3,
    steps: 16,
    lost: 0,
    doubled: 0,
    wrong: [],
  })
  // Of a slot within the window, and of one after it, which does not count.
  const [inside, after] = [runOf('s1', expected.well, scheduled(30)), runOf('s2', expected.well, scheduled(90))]
  const graphs = { ...assistant.graphs, s1: bookOf(expected.well.steps) }
  expect(of([...assistant.runs, inside, after], graphs)).toMatchObject({ byHand: 3, bySchedule: 1, asExpected: 4, wrong: [] })
  const bad = { ...assistant.graphs, away: bookOf({ ...expected.away.steps, apology: 0, outcome: 2 }) }
  const cancelled = { ...runOf('well', expected.well), status: { observedGeneration: 1, state: 'Cancelled' as const } }
  expect(of([assistant.runs[0]!, cancelled], bad)).toMatchObject({
    asExpected: 0,
    lost: 1,
    doubled: 1,
    wrong: [
      'fails is not there',
      'away began outcome 2 times instead of 1',
      'away began apology 0 times instead of 1',
      'well is Cancelled instead of Succeeded',
    ],
  })
  expect(runsHaveEnded(assistant)).toBe(true)
  expect(runsHaveEnded({ ...assistant, runs: assistant.runs.slice(1) })).toBe(false)
  expect(runsHaveEnded({ ...assistant, runs: [...assistant.runs, { name: 's1', status: undefined, ...scheduled(30) }] })).toBe(false)
})

it('counts the slots of a schedule of a graph by the first step of the runs that they began', () => {
  const graph: ScheduleView = { ...schedule('morning', { everySeconds: 20 }), spec: { everySeconds: 20, dependencyRef: { name: 'g' } } }
  const runs = [20, 40].map((second) => runOf(`s${second}`, expected.well, { schedule: 'morning', slot: slot(second) }))
  const graphs = { s20: { ...bookOf(expected.well.steps), beganMs: startMs + 20_300 }, s40: bookOf({ 'fetch-calendar': 2 }) }
  const account = accountOf(graph, { ...assistant, runs, graphs }, startMs + 90_000)
  expect(account).toMatchObject({ due: 3, ran: 2, missed: 0, lost: 1, doubled: 1 })
  expect(account.lateMs[0]).toBe(300)
})

it('follows the alert by its own record, and reads in the log which channels were notified', () => {
  expect(accountOfAlert(state)).toEqual({
    firedAt: slot(10),
    firedWith: '1 failed > 0 in 1m',
    resolvedAt: slot(60),
    firedAfterMs: 400,
    told: ['firing', 'resolved'],
  })
  expect(accountOfAlert({ ...state, startedAtMs: startMs + 30_000 })).toMatchObject({ firedAt: undefined, resolvedAt: undefined })
  const line = (channel: string, name: string, said: string) => JSON.stringify({ channel, notification: { state: said, alert: { name } } })
  const log = [line('assistant/log', demoAlert, 'firing'), 'no JSON', line('assistant/log', 'another', 'firing'), '{"msg":"scaled"}', '']
  expect(notifiedStates([...log, line('assistant/log', demoAlert, 'resolved')].join('\n'))).toEqual(['firing', 'resolved'])
  const silent = { ...state, assistant: { ...assistant, alerts: [], told: [] } }
  expect(problems(silent)).toEqual([
    'the alert did not fire',
    'the alert was not resolved',
    'the log channel printed "" instead of "firing, resolved"',
  ])
  expect(missingKinds([{ command: 'kubectl get tal', lines: ['No resources found'] }])).toEqual(['"kubectl get tal" shows nothing'])
})

it('computes the slots of a window: its beginning is not in it, its end is', () => {
  expect(dueSlots({ everySeconds: 20 }, startMs, startMs + 60_000)).toEqual([20, 40, 60].map(slot))
  expect(dueSlots({ schedules: ['*/30 * * * * *', '0,15 * * * * *'] }, startMs - 1, startMs + 30_000)).toEqual([0, 15, 30].map(slot))
  expect(dueSlots({ schedules: ['0 9 * * *'] }, startMs - 500, startMs + 90_000)).toEqual([slot(0)])
  expect(dueSlots({ everySeconds: 20 }, startMs, startMs - 60_000)).toEqual([])
})

it('tells missed slots from lost ones, and finds what ran twice', () => {
  const { often = {} } = assistant.slots
  const { [slot(20)]: _gone, ...rest } = often
  const changed = (missed: number): AssistantState => ({
    ...assistant,
    schedules: [schedule('often', { everySeconds: 10 }, missed)],
    missedBefore: { often: 3 },
    slots: { ...otherSlots, often: { ...rest, [slot(30)]: [2, startMs + 30_000] } },
  })
  const nowMs = startMs + 90_000
  expect(accountOf(changed(4).schedules[0]!, changed(4), nowMs)).toMatchObject({ due: 6, ran: 5, missed: 1, lost: 0, doubled: 1 })
  expect(accountOf(changed(3).schedules[0]!, changed(3), nowMs)).toMatchObject({ due: 6, ran: 5, missed: 0, lost: 1, doubled: 1 })
  expect(accountOf(changed(3).schedules[0]!, changed(3), startMs + 15_000)).toMatchObject({ due: 1, ran: 1, lost: 0 })
  expect(problems({ ...state, assistant: changed(3) })).toEqual([
    'lost: 1 of 6 slots, of often',
    'run more than once: 1 of 6 slots, of often',
  ])
})

it('counts the slots of the other examples, which no other schedule of that name can hide', () => {
  const lines = renderFrame(state, startMs + 61_000, 80).map((line) => stripVTControlCharacters(line))
  expect(lines.find((line) => line.includes('public-data'))).toBe('  public-data 1: 3 slots were due, 3 ran, 0 missed, 0 run twice')
  const { 'reports/backup': _, ...lost } = assistant.slots
  expect(problems({ ...state, assistant: { ...assistant, slots: lost } })).toEqual(['lost: 1 of 1 slots, of reports/backup'])
  expect(problems({ ...state, assistant: { ...assistant, others: emptyState(0).assistant.others } })).toEqual([
    'no slot of public-data was due',
    'no slot of reports was due',
  ])
})

it('sums up what the handlers counted, and says what is wrong', () => {
  const shown = [{ command: 'kubectl get tal', lines: ['NAME', 'morning-summary-failing'] }]
  const text = renderSummary(state, shown, '/tmp/kubeconfig').join('\n')
  expect(text).toMatch(/runs +3: 3 by hand, 0 by its schedule\n.*as expected +3 of 3\n +away +Succeeded, 6\/6, 8 s\n/u)
  expect(text).toMatch(/steps started +16\n.*lost +0\n.*doubled +0\n/u)
  expect(text).toMatch(
    /fired at +2026-11-24T09:00:10Z, 1 failed > 0 in 1m\n.*firing +400 ms\n.*resolved at +2026-11-24T09:01:00Z\n.*notified +2: firing, resolved\n/u,
  )
  expect(text).toContain('  $ kubectl get tal\n  NAME\n  morning-summary-failing\n')
  expect(renderSummary(state, shown, '/tmp/kubeconfig', 12)).toContain('  morning-s…')
  expect(text).toMatch(/lost +0\n.*run twice +0\n.*0 -> 6 \(0 s\) -> 0 \(30 s\)\n.*replicas written +70 ms\n.*pod ready +2\.2 s/u)
  expect(text).toMatch(
    /added +5: 2 plain, 2 with a priority, 1 delayed\n.*done +5\n.*lost +0\n.*run twice +0\n.*order of priority +2 of 2\n/u,
  )
  expect(text).toMatch(
    /2 schedules within 60 s.*\n.*due +8\n.*run +8\n.*reason +0\n.*lost +0\n.*doubled +0\n.*half of them within 20 ms, all within 1\.5 s/u,
  )
  expect(text).toMatch(
    /public-data, 1 schedules +3 due, 3 run, 0 missed with a reason, 0 lost, 0 doubled\n +reports, 1 schedules +1 due, 1 run.*\n +who starts.* +Taskmill 3, CronJob 1\n/u,
  )
  expect(problems(state)).toEqual([])
  const bad: DemoState = {
    ...state,
    replicas: [{ atMs: 0, replicas: 3 }],
    tally: { added: 3, done: 1, missing: 2, twice: 1 },
    assistant: { ...assistant, schedules: [], jobs: { added: 5, done: 4, missing: 1, twice: 1, inOrder: 1 } },
  }
  expect(problems(bad)).toEqual([
    'not done: 2 of 3 jobs',
    'run more than once: 1 of 3 jobs',
    'the pool did not return to zero',
    'not done: 1 of 5 jobs of people',
    'run more than once: 1 of 5 jobs of people',
    'no slot of assistant was due',
  ])
})
