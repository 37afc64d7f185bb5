import { expect, it } from 'vitest'
import { taskSchedule, type TaskSchedule, withDefaults } from '../api/index.ts'
import { slotTime } from '../contract/index.ts'
import { type CalendarFiles, configMapsOf, type ConfigMapReading, type LeftByFiles } from './calendars.ts'
import { slotsLeftOf, timingHashOf, understandSchedule } from './task-schedule.ts'

type Spec = Parameters<typeof withDefaults<typeof taskSchedule>>[1]['spec']
type Calendars = NonNullable<Spec['calendars']>

function scheduleOf(calendars: Calendars, name = 'nightly'): TaskSchedule {
  return withDefaults(taskSchedule, {
    apiVersion: 'taskmill.dev/v1alpha1',
    kind: 'TaskSchedule',
    metadata: { name, namespace: 'acme' },
    spec: { schedules: ['0 1 * * *'], calendars, task: { type: 'backup', queue: 'files' } },
  })
}

const holidays: Calendars = { exclude: [{ name: 'holidays', configMapRef: { name: 'holidays', key: 'dates' } }] }
const data = (entries: Readonly<Record<string, string>>): ConfigMapReading => ({ kind: 'Data', data: entries })
const files = (reading: ConfigMapReading): CalendarFiles => new Map([['holidays', reading]])

function leftBy(calendars: Calendars, of: CalendarFiles): LeftByFiles {
  const understood = understandSchedule(scheduleOf(calendars))
  if (!understood.ok || understood.leaveByFiles === undefined) throw new Error('not understood, or without files')
  return understood.leaveByFiles(of)
}

const after = Date.UTC(2026, 11, 24) / 1000

it('names the ConfigMaps, their keys and the fields that name them', () => {
  const ref = (key: string) => ({ configMapRef: { name: 'holidays', key } })
  const calendars = {
    exclude: [{ name: 'a', ...ref('de') }],
    include: [
      { name: 'b', ...ref('fr') },
      { name: 'c', configMapRef: { name: 'other', key: 'x' } },
      { name: 'd', weekdays: ['MON' as const] },
    ],
  }
  expect(configMapsOf(scheduleOf(calendars))).toEqual([
    { name: 'holidays', key: 'de', field: 'spec.calendars.exclude[0]' },
    { name: 'holidays', key: 'fr', field: 'spec.calendars.include[0]' },
    { name: 'other', key: 'x', field: 'spec.calendars.include[1]' },
  ])
})

it('leaves the slots that the file does not name', () => {
  const left = leftBy(holidays, files(data({ dates: '12-24/12-26' })))
  expect(left.kind === 'Left' && slotTime(left.plan.slots.next(after) ?? 0)).toBe('2026-12-27T01:00:00Z')
})

it('the version of a timing follows the contents of the files, and of nothing else', () => {
  const versionOf = (calendars: Calendars, entries: Readonly<Record<string, string>>) => {
    const left = leftBy(calendars, files(data(entries)))
    return left.kind === 'Left' ? left.plan.timing.calendars : undefined
  }
  const before = versionOf(holidays, { dates: '12-24' })
  expect(before).toEqual({ rules: expect.any(String) as unknown, files: expect.any(String) as unknown })
  expect(versionOf(holidays, { dates: '12-24', others: 'x' })).toEqual(before)
  expect(versionOf({ exclude: [{ name: 'renamed', configMapRef: { name: 'holidays', key: 'dates' } }] }, { dates: '12-24' })).toEqual(
    before,
  )
  const edited = versionOf(holidays, { dates: '12-25' })
  expect(edited).toEqual({ rules: before?.rules, files: expect.not.stringMatching(before?.files ?? '') as unknown })
})

it('until a file is read, its timing has no version of it, and no slots are told', () => {
  const understood = understandSchedule(scheduleOf(holidays))
  expect(understood.ok && understood.plan.timing.calendars).toEqual({ rules: expect.any(String) as unknown })
  expect(leftBy(holidays, new Map())).toEqual({ kind: 'Unread' })
  expect(slotsLeftOf(scheduleOf(holidays), new Map())).toEqual({ kind: 'Unread' })
})

it.each<[string, ConfigMapReading, string, string]>([
  [
    'a missing ConfigMap',
    { kind: 'Missing' },
    'CalendarNotFound',
    'ConfigMap "holidays" does not exist in this namespace, so no slot is dispatched. Next: create it',
  ],
  [
    'one that the API server does not show',
    { kind: 'Refused', message: 'configmaps "holidays" is forbidden' },
    'CalendarNotFound',
    'ConfigMap "holidays" cannot be read, so no slot is dispatched: configmaps "holidays" is forbidden. Next: let the operator list and watch configmaps',
  ],
  [
    'a missing key',
    data({ de: 'x', fr: 'y' }),
    'CalendarNotFound',
    'ConfigMap "holidays" has no key "dates", so no slot is dispatched: it has only "de", "fr". Next: correct the key',
  ],
  ['no keys', data({}), 'CalendarNotFound', 'it has no keys with text. Next: correct the key'],
  [
    'a wrong line',
    data({ dates: '12-25\n12-32' }),
    'InvalidCalendar',
    'ConfigMap "holidays", key "dates", line 2: "12-32" is a day that does not exist; correct its month or its day',
  ],
  [
    'a cut iCalendar file',
    data({ dates: 'BEGIN:VCALENDAR\n' }),
    'InvalidCalendar',
    'key "dates", END:VCALENDAR is missing; the file is cut',
  ],
  [
    'a file that is too long',
    data({ dates: ' '.repeat(262_145) }),
    'InvalidCalendar',
    'has 262145 characters, but at most 262144 are read',
  ],
  ['a file that leaves nothing', data({ dates: '01-01/12-31' }), 'InvalidCalendar', 'exclude leaves no slot of this schedule'],
])('%s holds the schedule, with what to do', (_, reading, reason, message) => {
  const left = leftBy(holidays, files(reading))
  const field = message.startsWith('exclude') ? 'spec.calendars' : 'spec.calendars.exclude[0]'
  expect(left).toEqual({ kind: 'Unusable', reason, field, message: expect.stringContaining(message) as unknown })
})

it('an alert sees other times when a file changes', () => {
  const hash = (dates: string) => {
    const left = slotsLeftOf(scheduleOf(holidays), files(data({ dates })))
    return left?.kind === 'Left' ? timingHashOf(left.plan.timing) : undefined
  }
  expect(hash('12-25')).toBe(hash('12-25'))
  expect(hash('12-25')).not.toBe(hash('12-26'))
})
