import { expect, it } from 'vitest'
import type { TaskSchedule } from '../../api/index.ts'
import { groupConditions, groupKeyOf, type GroupState, groupWords, membershipOf } from './group.ts'

const scheduleOf = (name: string, limit: number, more: object = {}): TaskSchedule =>
  ({
    metadata: { namespace: 'team', name },
    spec: { brokerRef: { name: 'default' }, concurrencyPolicy: 'Queue', concurrencyGroup: { name: 'warehouse', limit }, ...more },
  }) as unknown as TaskSchedule

/** The schedules of the cache. */
function cacheOf(...all: readonly TaskSchedule[]) {
  return { schedules: { byIndex: (_: string, value: string) => all.filter((each) => groupKeyOf(each) === value) } }
}

const a = scheduleOf('a', 3)

it('is one group per namespace and TaskBroker', () => {
  expect(groupKeyOf(a)).toBe('team/default/warehouse')
  expect(groupKeyOf(scheduleOf('a', 3, { brokerRef: { name: 'other' } }))).toBe('team/other/warehouse')
  expect(groupKeyOf(scheduleOf('a', 3, { concurrencyGroup: undefined }))).toBeUndefined()
})

it('a schedule that is being deleted is in no group', () => {
  const terminating = { ...a, metadata: { ...a.metadata, deletionTimestamp: '2026-11-29T00:00:00Z' } }
  expect(groupKeyOf(terminating)).toBeUndefined()
})

it('the lowest limit counts, and the others are told', () => {
  const cache = cacheOf(a, scheduleOf('b', 2), scheduleOf('c', 3), scheduleOf('d', 1, { brokerRef: { name: 'other' } }))
  const member = membershipOf(cache, 'team/a', a)
  expect(member).toMatchObject({ group: 'team/default/warehouse', name: 'warehouse', limit: 2, ownLimit: 3, lowestIn: 'b' })
  expect(member?.members()).toEqual(['team/a', 'team/b', 'team/c'])
  expect(groupConditions(member)).toMatchObject([
    {
      type: 'GroupLimitDiffers',
      status: 'True',
      reason: 'LowestCounts',
      message:
        'concurrencyGroup warehouse has limit 3 here and limit 2 in tsch/b: the lowest, 2, counts. Next: write the same limit in all schedules ' +
        'of the group',
    },
  ])
  expect(groupConditions(membershipOf(cache, 'team/b', scheduleOf('b', 2)))).toEqual([])
  expect(groupConditions(undefined)).toEqual([])
})

it.each<{ state: Partial<GroupState>; words: string }>([
  {
    state: { limit: 3, running: ['a', 'b', 'c'].map((name) => ({ key: `team/${name}`, runs: 1 })) },
    words: 'group warehouse (3 of 3 runs: a, b, c)',
  },
  { state: { limit: 1, running: [{ key: 'team/a', runs: 1 }] }, words: 'group warehouse (1 of 1 run: a)' },
  { state: { limit: 2, running: [{ key: 'team/a', runs: 2 }] }, words: 'group warehouse (2 of 2 runs: a 2 times)' },
  {
    state: { limit: 2, running: [{ key: 'team/a', runs: 1 }], first: { key: 'team/b', slot: 1 } },
    words: 'group warehouse (1 of 2 runs: a; an older slot of b starts first)',
  },
  {
    state: { limit: 7, running: ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => ({ key: `team/${name}`, runs: 1 })) },
    words: 'group warehouse (7 of 7 runs: a, b, c, d, e, and 2 more)',
  },
  { state: { limit: 2, running: [] }, words: 'group warehouse (0 of 2 runs)' },
])('says $words', ({ state, words }) => {
  const member = membershipOf(cacheOf(), 'team/x', scheduleOf('x', 3))
  if (member === undefined) throw new Error('in no group')
  expect(groupWords({ ...member, running: [], first: undefined, ...state })).toBe(words)
})
