/** Slots that fall due while no operator is there. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { TaskSchedule } from '../../src/api/index.ts'
import { createSchedule } from '../support/manifests.ts'
import { reasonOf, scheduleHome, type ScheduleHome, slotsOf } from './schedule-home.ts'

let home: ScheduleHome

beforeAll(async () => {
  home = await scheduleHome('schedule-missed')
})

afterAll(() => home?.stop())

const everySeconds = 5
/** `Skip` drops slots that are more than 30 s late: the first one, which comes within 5 s, is. */
const outageMs = 36_000
const names = ['latest', 'skip', 'all', 'too-late'] as const
const policies = {
  latest: {},
  skip: { missedRuns: 'Skip' },
  all: { missedRuns: 'All', missedRunsLimit: 2 },
  'too-late': { missedRuns: 'All', startingDeadlineSeconds: 12 },
} as const satisfies Record<(typeof names)[number], object>
const missedOf = (object: TaskSchedule): Readonly<Record<string, number>> =>
  Object.fromEntries((object.status?.missedRuns ?? []).map(({ reason, count }) => [reason, count]))

it('run as missedRuns says, and the others are counted with their reasons', async () => {
  const consumers = names.map((name) => home.consume(name, async () => undefined))
  await home.operator.logged('leading')
  await home.operator.stop()
  const created = await Promise.all(
    names.map((name) =>
      createSchedule(home.client, home.namespace, name, { everySeconds, ...policies[name], task: { type: 'x', queue: name } }),
    ),
  )
  await sleep(outageMs)
  home.startOperator()
  const states = await Promise.all(
    names.map(async (name, index) => {
      await consumers[index]?.ran(1)
      return await home.schedule(name, (each) => reasonOf(each, 'LastRunSucceeded') === 'Succeeded')
    }),
  )
  const missed = Object.fromEntries(states.map((state) => [state.metadata.name, missedOf(state)]))
  for (const [index, name] of names.entries()) {
    const ran = slotsOf(consumers[index]!)
    const createdAt = Date.parse(created[index]?.metadata.creationTimestamp ?? '') / 1000
    const due = Math.floor((ran.at(-1) ?? 0) / everySeconds) - Math.floor(createdAt / everySeconds)
    // Each slot ran or was counted, late ones in order, and none twice.
    expect([name, new Set(ran).size]).toEqual([name, ran.length])
    expect([name, due]).toEqual([name, ran.length + Object.values(missed[name] ?? {}).reduce((sum, count) => sum + count, 0)])
    expect(ran).toEqual(ran.toSorted((a, b) => a - b))
  }
  expect(Object.keys(missed['latest'] ?? {})).toEqual(['Superseded'])
  expect(missed['skip']?.['Skipped']).toBeGreaterThan(0)
  expect(missed['all']?.['TooManyMissed']).toBeGreaterThan(0)
  expect(missed['too-late']?.['StartingDeadlineExceeded']).toBeGreaterThan(0)
  await expect.poll(() => home.eventsOf('latest', 'RunMissed').then((found) => found.length), { timeout: 20_000 }).toBe(1)
  const [event] = await home.eventsOf('latest', 'RunMissed')
  expect(event?.note).toMatch(/^\d+ slots, the newest \S+: Superseded\. Next: /u)
})
