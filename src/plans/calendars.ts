import type { TaskSchedule } from '../api/index.ts'
import type { Slot } from '../contract/index.ts'
import {
  type FileCover,
  type CalendarRules,
  isNeverDue,
  parseCalendarFile,
  parseCalendars,
  type SchedulePlan,
  type SlotSource,
  withCalendars,
} from '../scheduling/index.ts'
import type { PushFaults } from './fault.ts'
import { hashOf } from './hash.ts'

/** What is known of a ConfigMap that a calendar names: the same value as long as the ConfigMap is the same. */
export type ConfigMapReading =
  /** It is being read for the first time. */
  | { readonly kind: 'Unread' }
  | { readonly kind: 'Data'; readonly data: Readonly<Record<string, string>> }
  | ParsedConfigMap
  | { readonly kind: 'Missing' }
  /** The API server refuses to show it; it was never read. */
  | { readonly kind: 'Refused'; readonly message: string }

/** A calendar of a ConfigMap, or what is wrong with it; `hash`: of its text. */
type ParsedFile = { readonly parsed: FileCover | string; readonly hash: string }

/** What is kept of a ConfigMap in place of its text. `keys`: all that it has; of those without a file nobody has asked for the text. */
export type ParsedConfigMap = {
  readonly kind: 'Parsed'
  readonly files: ReadonlyMap<string, ParsedFile>
  readonly keys: ReadonlySet<string>
}

/** Reads the calendars of these keys of a ConfigMap. */
export function parseConfigMap(data: Readonly<Record<string, string>>, wanted: Iterable<string>): ParsedConfigMap {
  const files = new Map<string, ParsedFile>()
  for (const key of wanted) {
    const text = data[key]
    if (text !== undefined) files.set(key, parseFile(text))
  }
  return { kind: 'Parsed', files, keys: new Set(Object.keys(data)) }
}

/** By the name of the ConfigMap. */
export type CalendarFiles = ReadonlyMap<string, ConfigMapReading>

/** The part of a plan that depends on the calendars. */
export type Left = Pick<SchedulePlan, 'timing' | 'slots' | 'seed' | 'calendars'>

/** `field` of the spec names what cannot be used, or is not there. */
type UnusableCalendar = {
  readonly kind: 'Unusable'
  readonly reason: 'CalendarNotFound' | 'InvalidCalendar'
  readonly field: string
  readonly message: string
}

/** What is due by the timing alone. */
export type Due = Pick<SchedulePlan, 'timing' | 'slots' | 'seed'>

/** What the calendars of a schedule leave of its slots, as far as their ConfigMaps can be read. */
export type LeftByFiles = { readonly kind: 'Left'; readonly plan: Left } | { readonly kind: 'Unread' } | UnusableCalendar

/** Where the search for a slot begins, into the past and into the future: the same for everybody, so that the answer does not depend on the day. */
const middle: Slot = Date.UTC(2026, 10, 29) / 1000

/** The ConfigMaps that the calendars of a schedule name, the keys in them, and the fields of the entries. */
export function configMapsOf(schedule: TaskSchedule): readonly { readonly name: string; readonly key: string; readonly field: string }[] {
  return refsOf(schedule).map(({ ref, field }) => ({ name: ref.name, key: ref.key, field }))
}

type NamedEntry = NonNullable<NonNullable<TaskSchedule['spec']['calendars']>['exclude']>[number]
type Ref = { readonly ref: NonNullable<NamedEntry['configMapRef']>; readonly field: string }

const lists = ['exclude', 'include'] as const

function refsOf({ spec: { calendars } }: TaskSchedule): readonly Ref[] {
  return lists.flatMap((list) =>
    (calendars?.[list] ?? []).flatMap(({ configMapRef: ref }, index) =>
      ref === undefined ? [] : [{ ref, field: `spec.calendars.${list}[${index}]` }],
    ),
  )
}

/**
 * Finds what is wrong with the calendars themselves, whatever is in the ConfigMaps that they name. `due`: what is due by the timing; undefined if
 * that has faults.
 */
export function findCalendarFaults(
  schedule: TaskSchedule,
  due: SlotSource | undefined,
  faults: PushFaults<'InvalidCalendar' | 'InvalidTimeZone'>,
): void {
  const { calendars, timeZone, schedules } = schedule.spec
  if (calendars === undefined) return
  const nothing: FileCover = { readings: [], moments: [] }
  const parsed = parseCalendars(
    rulesOf(calendars, () => nothing),
    timeZone,
  )
  if (!parsed.ok) {
    for (const { field, message } of parsed.faults) {
      if (field !== 'timeZone') faults.push({ reason: 'InvalidCalendar', field: `spec.calendars.${field}`, message })
      // With cron expressions it is a fault of the timing.
      else if (schedules === undefined) faults.push({ reason: 'InvalidTimeZone', field: 'spec.timeZone', message })
    }
    return
  }
  // What a file names can be told only when it is read.
  if (due === undefined || refsOf(schedule).length > 0 || !isNeverDue(withCalendars(due, parsed.cover), middle)) return
  faults.push({ reason: 'InvalidCalendar', field: 'spec.calendars', message: neverDue(calendars) })
}

/** Returns what the calendars leave of `due`. The spec has no faults. */
export function leaveByFiles(schedule: TaskSchedule, due: Due, files: CalendarFiles): LeftByFiles {
  const { timing } = due
  const { calendars, timeZone } = schedule.spec
  if (calendars === undefined || timing.calendars === undefined) return { kind: 'Left', plan: due }
  const refs = refsOf(schedule)
  const read = refs.map((each) => readFile(each, files.get(each.ref.name) ?? { kind: 'Unread' }))
  for (const file of read) if (file.kind === 'Unusable') return file
  if (read.some(({ kind }) => kind === 'Unread')) return { kind: 'Unread' }
  const found = new Map(read.flatMap((file, index) => (file.kind === 'File' ? [[keyOf(refs[index]?.ref), file] as const] : [])))
  const parsed = parseCalendars(
    rulesOf(calendars, (ref) => found.get(keyOf(ref))?.file),
    timeZone,
  )
  if (!parsed.ok) throw new TypeError('a spec with faults')
  const slots = withCalendars(due.slots, parsed.cover)
  if (refs.length > 0 && isNeverDue(slots, middle))
    return { kind: 'Unusable', reason: 'InvalidCalendar', field: 'spec.calendars', message: neverDue(calendars) }
  const version =
    refs.length === 0
      ? timing.calendars
      : { ...timing.calendars, files: hashOf(read.map((file) => (file.kind === 'File' ? file.hash : ''))) }
  return { kind: 'Left', plan: { ...due, timing: { ...timing, calendars: version }, slots, calendars: parsed.cover } }
}

/** What the calendars of a spec say, without the names of their entries. */
export function calendarRulesOf(calendars: NonNullable<TaskSchedule['spec']['calendars']>): object {
  const entriesOf = (list: (typeof lists)[number]) => calendars[list]?.map((entry) => ({ ...entry, name: undefined }))
  return { exclude: entriesOf('exclude'), include: entriesOf('include') }
}

function keyOf(ref: Ref['ref'] | undefined): string {
  return `${ref?.name ?? ''}/${ref?.key ?? ''}`
}

/** The rules of a spec, with the files that its entries name. */
function rulesOf(
  calendars: NonNullable<TaskSchedule['spec']['calendars']>,
  fileOf: (ref: Ref['ref']) => FileCover | undefined,
): CalendarRules {
  const entriesOf = (list: (typeof lists)[number]) =>
    calendars[list]?.map(({ configMapRef, ...entry }) => (configMapRef === undefined ? entry : { file: fileOf(configMapRef) }))
  return { exclude: entriesOf('exclude'), include: entriesOf('include') }
}

function neverDue({ include, exclude }: CalendarRules): string {
  if (exclude === undefined)
    return 'no slot of this schedule is at a time that include names; correct include, or the times of the schedule'
  return include === undefined
    ? 'exclude leaves no slot of this schedule; correct exclude, or the times of the schedule'
    : 'include and exclude leave no slot of this schedule; correct them, or the times of the schedule'
}

type ReadFile = { readonly kind: 'File'; readonly file: FileCover; readonly hash: string } | Exclude<LeftByFiles, { readonly kind: 'Left' }>

/** By the data of a ConfigMap and a key: many schedules share a calendar, which can be long. */
const parsedFiles = new WeakMap<object, Map<string, ParsedFile>>()

/** Longer files would hold up everything else while they are read. */
const mostCharacters = 256 * 1024

function readFile({ ref: { name, key }, field }: Ref, reading: ConfigMapReading): ReadFile {
  const unusable = (reason: 'CalendarNotFound' | 'InvalidCalendar', problem: string): ReadFile => ({
    kind: 'Unusable',
    reason,
    field,
    message: `ConfigMap "${name}"${problem}`,
  })
  switch (reading.kind) {
    case 'Unread':
      return reading
    case 'Missing':
      return unusable('CalendarNotFound', ' does not exist in this namespace, so no slot is dispatched. Next: create it')
    case 'Refused':
      return unusable(
        'CalendarNotFound',
        ` cannot be read, so no slot is dispatched: ${reading.message}. Next: let the operator list and watch configmaps`,
      )
    case 'Data':
    case 'Parsed': {
      const keys = reading.kind === 'Parsed' ? reading.keys : new Set(Object.keys(reading.data))
      if (!keys.has(key)) {
        const shown = [...keys].slice(0, 5).map((each) => `"${each}"`)
        const words = keys.size === 0 ? 'no keys with text' : `only ${shown.join(', ')}`
        return unusable('CalendarNotFound', ` has no key "${key}", so no slot is dispatched: it has ${words}. Next: correct the key`)
      }
      const file = reading.kind === 'Parsed' ? reading.files.get(key) : parseOnce(reading.data, key)
      if (file === undefined) return { kind: 'Unread' }
      const { parsed, hash } = file
      return typeof parsed === 'string' ? unusable('InvalidCalendar', `, key "${key}", ${parsed}`) : { kind: 'File', file: parsed, hash }
    }
  }
}

function parseOnce(data: Readonly<Record<string, string>>, key: string): ParsedFile {
  const known = parsedFiles.get(data) ?? new Map<string, ParsedFile>()
  parsedFiles.set(data, known)
  let file = known.get(key)
  if (file === undefined) known.set(key, (file = parseFile(data[key] ?? '')))
  return file
}

function parseFile(text: string): ParsedFile {
  const parsed =
    text.length > mostCharacters
      ? `has ${text.length} characters, but at most ${mostCharacters} are read; remove past events`
      : parseCalendarFile(text)
  return { parsed, hash: hashOf(text) }
}
