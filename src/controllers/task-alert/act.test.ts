import { expect, it } from 'vitest'
import { advance, decideNotifications, newRecord } from '../../alerting/index.ts'
import type { TaskAlert } from '../../api/index.ts'
import { understandAlert } from '../../plans/index.ts'
import { notificationOf } from './act.ts'

const start = Date.parse('2026-11-29T02:51:00Z')
const channels = new Map([['oncall', { minimumSeverity: 'Info', sendResolved: true } as const]])
const rules = { severity: 'Critical', cooldownSeconds: 0, channels } as const

function bodyOf(message: string | undefined, isResolved = false) {
  const alert: TaskAlert = {
    apiVersion: 'taskmill.dev/v1alpha1',
    kind: 'TaskAlert',
    metadata: { namespace: 'acme', name: 'email-failing', uid: 'u-1' },
    spec: {
      target: { kind: 'WorkerPool', name: 'email' },
      failureRate: { abovePercent: 10, minimumRuns: 20 },
      windowSeconds: 300,
      forSeconds: 0,
      severity: 'Critical',
      cooldownSeconds: 0,
      runbookURL: 'https://runbooks.acme.dev/email',
      ...(message === undefined ? {} : { message }),
    },
  }
  const bad = { known: true, holds: true, text: '23.4% (69/295)', amount: '23.4' } as const
  const good = { known: true, holds: false, text: '2% (6/300)', amount: '2' } as const
  let { record } = decideNotifications(advance(newRecord(start), bad, 0, start).record, rules, start)
  if (isResolved) ({ record } = decideNotifications(advance(record, good, 0, start + 90_000).record, rules, start + 90_000))
  const [decided] = record.notifications
  return decided && notificationOf(alert, understandAlert(alert), record, decided)
}

it('says all that a receiver may want to know', () => {
  expect(bodyOf('$(target.name) fails $(value)% of its runs')).toEqual({
    channel: 'acme/oncall',
    alert: 'acme/email-failing',
    sequence: 1,
    id: 'u-1-1',
    body: {
      version: '1',
      id: 'u-1-1',
      state: 'firing',
      alert: { namespace: 'acme', name: 'email-failing' },
      target: { kind: 'WorkerPool', name: 'email' },
      severity: 'Critical',
      message: 'email fails 23.4% of its runs',
      value: 23.4,
      valueText: '23.4% (69/295)',
      limit: '> 10% in 5m',
      since: '2026-11-29T02:51:00Z',
      runbookURL: 'https://runbooks.acme.dev/email',
    },
  })
})

it('says since when it fired when it is resolved', () => {
  expect(bodyOf(undefined, true)).toMatchObject({
    id: 'u-1-2',
    body: {
      state: 'resolved',
      message: 'WorkerPool email: resolved, 2% (6/300)',
      value: 2,
      since: '2026-11-29T02:51:00Z',
      resolvedAt: '2026-11-29T02:52:30Z',
    },
  })
})

it.each([
  ['without words of its own', undefined],
  ['whose words are wrong', '$(target.nam'],
  ['whose words fail with this value', '$(value == 1.0 ? "a" : target.none)'],
])('has plain words for an alert %s', (_, message) => {
  expect(bodyOf(message)?.body['message']).toBe('WorkerPool email: 23.4% (69/295) > 10% in 5m')
})
