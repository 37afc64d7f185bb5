import { expect, it } from 'vitest'
import type { TaskQueueStatus } from '../../api/index.ts'
import type { QueueChange } from '../../broker/index.ts'
import { changeEvent, transitionEvents } from './events.ts'

/** `Ready False BrokerNotFound: message`. */
function statusOf(...conditions: readonly string[]): TaskQueueStatus {
  return {
    observedGeneration: 1,
    conditions: conditions.map((text) => {
      const [facts = '', message = ''] = text.split(': ')
      const [type = '', status = '', reason = ''] = facts.split(' ')
      return { type, status, reason, message, lastTransitionTime: '2026-11-29T03:00:00Z' } as never
    }),
  }
}
const between = (before: TaskQueueStatus | undefined, after: TaskQueueStatus) =>
  transitionEvents(before, after).map(({ type, reason, note }) => `${type} ${reason}: ${note}`)

const fine = statusOf('Ready True Applied: holds', 'Drifted False AsDeclared: as declared')
const away = statusOf('Ready False BrokerUnreachable: gone')
const theirs = statusOf('Ready True Applied: holds', 'Drifted True PausedByOthers: a user paused it')
const overridden = (message: string) => statusOf('Ready True Suspended: rests', `Overridden True OverrideActive: ${message}`)

it('a queue that stops being Ready has one Warning, with the reason of Ready', () => {
  expect(between(fine, away)).toEqual(['Warning BrokerUnreachable: gone'])
  expect(between(away, statusOf('Ready False BrokerUnreachable: gone for longer'))).toEqual([])
})

it('a queue that is Ready again has no Event', () => {
  expect(between(away, fine)).toEqual([])
  expect(between(undefined, fine)).toEqual([])
})

it('a conflict that was there from the start has a Warning', () => {
  expect(between(undefined, statusOf('Ready False PolicyConflict: older'))).toEqual(['Warning PolicyConflict: older'])
})

it('a pause by others has a Warning each time that it begins', () => {
  expect(between(fine, theirs)).toEqual(['Warning PausedByOthers: a user paused it'])
  expect(between(theirs, theirs)).toEqual([])
  expect(between(theirs, fine)).toEqual([])
})

it('an override has an Event when it begins, changes and ends', () => {
  const until4 = overridden('suspended until 4')
  const until5 = overridden('suspended until 5')
  expect(between(fine, until4)).toEqual(['Normal OverrideStarted: suspended until 4'])
  expect(between(until4, until4)).toEqual([])
  expect(between(until4, until5)).toEqual(['Normal OverrideStarted: suspended until 5'])
  expect(between(until5, fine)).toEqual(['Normal OverrideEnded: over: suspended until 5'])
})

it.each<[string, QueueChange]>([
  ['QueueSuspended: paused: running jobs end, no other job starts', { kind: 'Paused', isRepair: false }],
  ['QueueResumed: the pause was removed', { kind: 'Resumed', isRepair: false }],
  ['DriftRepaired: paused again: someone had resumed it by other means', { kind: 'Paused', isRepair: true }],
  ['ConcurrencyChanged: global concurrency none -> 4', { kind: 'Limited', isRepair: false, from: undefined, to: 4 }],
  ['ConcurrencyChanged: global concurrency 4 -> none', { kind: 'Limited', isRepair: false, from: 4, to: undefined }],
  ['DriftRepaired: global concurrency 9 -> 4: someone had changed it by other means', { kind: 'Limited', isRepair: true, from: 9, to: 4 }],
])('%s', (words, change) => {
  const { reason, note } = changeEvent(change)
  expect(`${reason}: ${note}`).toBe(words)
})
