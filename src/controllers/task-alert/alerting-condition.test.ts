import { expect, it } from 'vitest'
import type { TaskAlert, TaskAlertStatus } from '../../api/index.ts'
import { alertingOf } from './alerting-condition.ts'

type Firing = readonly [status: 'True' | 'False' | 'Unknown', reason: string, message: string]

function alertOf(
  name: string,
  severity: TaskAlert['spec']['severity'],
  state: TaskAlertStatus['state'],
  [status, reason, message]: Firing,
  ackedBy?: string,
): TaskAlert {
  const condition = { type: 'Firing', status, reason, message, lastTransitionTime: '2026-11-29T02:51:00Z' } as const
  return {
    apiVersion: 'taskmill.dev/v1alpha1',
    kind: 'TaskAlert',
    metadata: { namespace: 'acme', name },
    spec: { target: { kind: 'WorkerPool', name: 'email' }, forSeconds: 0, severity, cooldownSeconds: 0 },
    ...(state === undefined
      ? {}
      : {
          status: {
            observedGeneration: 1,
            state,
            sinceTime: '2026-11-29T02:51:00Z',
            ...(ackedBy === undefined ? {} : { ackedBy }),
            conditions: [condition],
          },
        }),
  }
}

const firing = alertOf('failing', 'Critical', 'Firing', ['True', 'ThresholdCrossed', '23% (69/300) > 10% in 5m'])
const acked = alertOf(
  'backlog',
  'Warning',
  'Firing',
  ['True', 'ThresholdCrossed', '9 jobs waiting > 5'],
  'oncall until 2026-11-29T04:00:00Z',
)
const held = alertOf('a-held', 'Warning', 'Firing', ['True', 'HeldUnknown', 'fires since X with Y; it cannot be judged now'])
const calm = alertOf('calm', 'Info', 'Inactive', ['False', 'WithinThreshold', '0 jobs waiting'])
const pending = alertOf('pending', 'Info', 'Pending', ['False', 'Pending', '9 jobs waiting'])
const few = alertOf('few', 'Info', 'Unknown', ['Unknown', 'TooFewRuns', '1 run ended'])
const blind = alertOf('blind', 'Info', 'Unknown', ['Unknown', 'BrokerUnreachable', 'ECONNREFUSED'])
const fresh = alertOf('fresh', 'Info', undefined, ['Unknown', 'NotReadYet', ''])

it.each<[string, readonly TaskAlert[], string]>([
  ['no alert', [], 'none'],
  ['what was not judged yet', [calm, fresh], 'Undecided'],
  ['what is calm', [calm], 'False NoAlertFiring 1 alert, it does not fire'],
  ['what is calm, not for long, or has too little to judge', [calm, pending, few], 'False NoAlertFiring 3 alerts, none fires'],
  ['what nobody can see', [calm, blind], 'Unknown AlertsUnknown blind: ECONNREFUSED'],
  [
    'what fires, whatever the others do',
    [calm, blind, fresh, acked, held, firing],
    'True AlertsFiring failing (Critical): 23% (69/300) > 10% in 5m, since 2026-11-29T02:51:00Z, not acknowledged; ' +
      'a-held (Warning): fires since X with Y; it cannot be judged now, not acknowledged; ' +
      'backlog (Warning): 9 jobs waiting > 5, since 2026-11-29T02:51:00Z, acknowledged by oncall until 2026-11-29T04:00:00Z',
  ],
])('%s is said', (_, alerts, expected) => {
  const wanted = alertingOf(alerts)
  const said = typeof wanted === 'object' ? `${wanted.status} ${wanted.reason} ${wanted.message}` : (wanted ?? 'none')
  expect(said).toBe(expected)
})

it('names ten, and counts the rest', () => {
  const many = Array.from({ length: 12 }, (_, index) => ({ ...firing, metadata: { namespace: 'acme', name: `alert-${10 + index}` } }))
  const wanted = alertingOf(many)
  expect(typeof wanted === 'object' && wanted.message.split('; ').slice(9)).toEqual([expect.stringContaining('alert-19'), 'and 2 more'])
})
