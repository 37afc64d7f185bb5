import { stripVTControlCharacters } from 'node:util'
import { expect, it, test } from 'vitest'
import { accountOf, dueSlots } from '../../hack/demo/slots.ts'
import { emptyState, type AssistantState, type DemoState, type ScheduleView } from '../../hack/demo/state.ts'
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
/** One minute in which two schedules had six and two slots, each run 20 ms after it was due. */
const assistant: AssistantState = {
  ...emptyState(0).assistant,
  pools: ['ai', 'email'].map((name) => ({ name, status: undefined })),
  schedules: [schedule('often', { everySeconds: 10 }), schedule('twice', { schedules: ['5,35 * * * * *'] })],
  window: { fromMs: startMs, untilMs: startMs + 60_000, counts: { plain: 2, priority: 2, delayed: 1 } },
  jobs: { added: 5, done: 5, missing: 0, twice: 0, inOrder: 2 },
  slots: {
    often: Object.fromEntries([10, 20, 30, 40, 50, 60].map((second) => [slot(second), [1, startMs + second * 1000 + 20] as const])),
    twice: Object.fromEntries([5, 35].map((second) => [slot(second), [1, startMs + second * 1000 + 1500] as const])),
  },
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
})

it('shows each schedule with its next slot, its last result and its counts', () => {
  const text = renderFrame(state, startMs + 61_000, 80).map((line) => stripVTControlCharacters(line))
  expect(text.find((line) => line.includes('often'))).toMatch(/^ {2}often +in 1 s +Succeeded +0 +6 +6 +0 +0$/u)
  expect(text.find((line) => line.includes('schedule'))).toMatch(/NEXT +RESULT +FAILS +DUE +RAN +MISSED +TWICE$/u)
  expect(renderLine(state, 60_000)).toContain('01:00  replicas 0')
  expect(renderLine(state, startMs + 61_000)).toContain('people 5/5, slots 8/8')
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
    slots: { often: { ...rest, [slot(30)]: [2, startMs + 30_000] } },
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

it('sums up what the handlers counted, and says what is wrong', () => {
  const text = renderSummary(state, '/tmp/kubeconfig').join('\n')
  expect(text).toMatch(/lost +0\n.*run twice +0\n.*0 -> 6 \(0 s\) -> 0 \(30 s\)\n.*replicas written +70 ms\n.*pod ready +2\.2 s/u)
  expect(text).toMatch(
    /added +5: 2 plain, 2 with a priority, 1 delayed\n.*done +5\n.*lost +0\n.*run twice +0\n.*order of priority +2 of 2\n/u,
  )
  expect(text).toMatch(
    /2 schedules within 60 s.*\n.*due +8\n.*run +8\n.*reason +0\n.*lost +0\n.*doubled +0\n.*half of them within 20 ms, all within 1\.5 s/u,
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
    'the pool did not go back to zero',
    'not done: 1 of 5 jobs of people',
    'run more than once: 1 of 5 jobs of people',
    'no slot was due',
  ])
})
