import { expect, it } from 'vitest'
import { suspensionOf } from './target.ts'

const now = Date.parse('2026-11-29T03:00:00Z')
const later = '2026-11-29T04:00:00Z'
const endsAt = Date.parse(later)
const words = (by: string): object => ({ suspended: { words: `TaskSchedule "backup" is suspended ${by}` } })

it.each<[spec: object, expected: object]>([
  [{}, {}],
  [{ suspend: false }, {}],
  [{ suspend: true }, words('(spec.suspend)')],
  [{ override: { suspend: true, until: later, by: 'oncall' } }, { ...words(`until ${later} by oncall`), changesAtMs: endsAt }],
  // For a while it runs although it is declared to be suspended.
  [{ suspend: true, override: { suspend: false, until: later } }, { changesAtMs: endsAt }],
  [{ suspend: true, override: { suspend: false, until: '2026-11-29T02:00:00Z' } }, words('(spec.suspend)')],
  // Of a pool that is scaled by hand.
  [{ override: { replicas: 3, until: later } }, {}],
])('%j: %j', (spec, expected) => {
  const object = { apiVersion: 'taskmill.dev/v1alpha1', kind: 'TaskSchedule', metadata: { name: 'backup' }, spec }
  expect(suspensionOf(object, now)).toEqual(expected)
})
