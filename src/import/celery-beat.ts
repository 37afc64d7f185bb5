import { parseJson } from '../json/index.ts'
import { type Draft, escaped, ImportError, isRecord, isTouchedByClocks } from './draft.ts'

type Fields = Readonly<Record<string, unknown>>

/**
 * Converts a schedule of Celery beat, as the snippet of docs/coming-from-celery-beat.md exports it: JSON with `timezone`, `default_queue` and
 * `entries` by name.
 */
export function importBeatSchedule(text: string): readonly Draft[] {
  const exported = parse(text)
  const { timezone, default_queue: defaultQueue, entries } = exported
  if (!isRecord(entries)) throw new ImportError('has no entries: write the JSON that the snippet of docs/coming-from-celery-beat.md prints')
  const zone = typeof timezone === 'string' ? timezone : 'UTC'
  const queue = typeof defaultQueue === 'string' ? defaultQueue : 'celery'
  return Object.entries(entries).map(([name, entry]) => draftOf(name, isRecord(entry) ? entry : {}, { zone, queue }))
}

function parse(text: string): Fields {
  try {
    const value = parseJson(text)
    if (isRecord(value)) return value
  } catch (error) {
    throw new ImportError(`is not JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
  throw new ImportError('is not a JSON object: write what the snippet of docs/coming-from-celery-beat.md prints')
}

/** Beat adds it by itself. */
const itsOwn = 'celery.backend_cleanup'

function draftOf(name: string, entry: Fields, { zone, queue }: { readonly zone: string; readonly queue: string }): Draft {
  const notes: string[] = []
  const { task, args, kwargs, options, schedule, start_time: startTime, one_off: isOneOff } = entry
  const own = withoutNone(isRecord(options) ? options : {})
  const when = task === itsOwn ? undefined : whenOf(isRecord(schedule) ? schedule : {}, zone, notes)
  if (task === itsOwn) notes.push('It is of Celery itself, for its result backend; Taskmill needs no such schedule.')
  const payload = payloadOf(args, kwargs, notes)
  for (const option of Object.keys(own).filter((each) => each !== 'queue' && each !== 'expires')) {
    notes.push(`options.${option} (${JSON.stringify(own[option])}) has no counterpart here; task.retry and task.priority may serve.`)
  }
  const { expires } = own
  const deadline = typeof expires === 'number' && expires >= 1 ? { startingDeadlineSeconds: Math.floor(expires) } : {}
  if (expires !== undefined) {
    notes.push(
      'startingDeadlineSeconds' in deadline
        ? 'options.expires became startingDeadlineSeconds: it ends the wait for the dispatch, not that in the queue.'
        : `options.expires (${JSON.stringify(expires)}) has no counterpart.`,
    )
  }
  if (when !== undefined) {
    notes.push('The task itself is Python: write its handler as a task of a worker (docs/workers.md), under the same type.')
    notes.push('Remove the entry from beat when you apply this: otherwise both run.')
  }
  return {
    origin: `Celery beat entry ${JSON.stringify(name)}`,
    name,
    notes,
    spec: when && {
      ...when,
      ...(typeof startTime === 'string' && !('at' in when) ? { startTime } : {}),
      ...(isOneOff === true && !('at' in when) ? { maxRuns: 1 } : {}),
      ...deadline,
      task: { type: task, queue: typeof own['queue'] === 'string' ? own['queue'] : queue, ...(payload === undefined ? {} : { payload }) },
    },
  }
}

/** Python writes an option that is not set as None. */
function withoutNone(options: Fields): Fields {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== null))
}

function payloadOf(args: unknown, kwargs: unknown, notes: string[]): unknown {
  const positional = Array.isArray(args) ? args : []
  const named = isRecord(kwargs) ? kwargs : {}
  if (positional.length > 0) {
    notes.push('The task has positional arguments: they are args of the payload, and those by name are kwargs.')
    return escaped({ args: positional, ...(Object.keys(named).length === 0 ? {} : { kwargs: named }) })
  }
  return Object.keys(named).length === 0 ? undefined : escaped(named)
}

function whenOf({ crontab, timezone, seconds, solar, at, other }: Fields, zone: string, notes: string[]): Fields | undefined {
  if (typeof seconds === 'number') {
    if (!Number.isInteger(seconds)) {
      notes.push(`It runs every ${seconds} s: slots are whole seconds; choose an interval of whole seconds.`)
      return undefined
    }
    notes.push('Beat counts an interval from its own start and from the last run; Taskmill counts everySeconds from 1970-01-01T00:00:00Z.')
    return { everySeconds: seconds }
  }
  if (typeof at === 'string') return { at: [at] }
  if (solar !== undefined) {
    notes.push(`solar (${JSON.stringify(solar)}) has no counterpart: choose a time of day, or several by month.`)
    return undefined
  }
  const fields = fieldsOf(crontab)
  if (fields === undefined) {
    const words = typeof other === 'string' ? ` (${other})` : ''
    notes.push(`Its schedule${words} is of a kind that is not known: write schedules or everySeconds.`)
    return undefined
  }
  return whenOfCrontab(fields, typeof timezone === 'string' ? timezone : zone, notes)
}

/** What the fields of a crontab name, ascending; undefined: it has not all five of them. */
function fieldsOf(crontab: unknown): readonly (readonly number[])[] | undefined {
  const isField = (field: unknown): field is readonly number[] =>
    Array.isArray(field) && field.length > 0 && field.every((value) => Number.isInteger(value))
  return Array.isArray(crontab) && crontab.length === 5 && crontab.every(isField) ? crontab : undefined
}

const weekdays = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'] as const
const weekdayOf = (index: number): string => weekdays[index] ?? String(index)

function whenOfCrontab(fields: readonly (readonly number[])[], zone: string, notes: string[]): Fields {
  const [minutes = [], hours = [], days = [], months = [], onDays = []] = fields
  const day = describeField(days, { first: 1, last: 31 })
  const weekday = describeField(onDays, { first: 0, last: 6 }, weekdayOf)
  // Beat needs both fields for days, cron one of them: the weekdays become a calendar.
  const needsBoth = day !== '*' && weekday !== '*'
  const expression = [
    describeField(minutes, { first: 0, last: 59 }),
    describeField(hours, { first: 0, last: 23 }),
    day,
    describeField(months, { first: 1, last: 12 }),
    needsBoth ? '*' : weekday,
  ].join(' ')
  if (isTouchedByClocks(expression, zone)) {
    notes.push(
      'A time that clocks skip runs at the end of the gap (02:30 at 03:00); beat runs it an hour later (03:30). A repeated one runs once, as with beat.',
    )
  } else if (isTouchedByClocks('0 0 * * *', zone)) {
    notes.push('It keeps its pace when clocks go back; beat pauses for the hour that comes twice.')
  }
  const timing = { schedules: [expression], timeZone: zone }
  if (!needsBoth) return timing
  notes.push('Beat needs day_of_month and day_of_week at once, a cron expression one of them: the weekdays are in calendars.')
  return { ...timing, calendars: { include: [{ name: 'weekdays', weekdays: onDays.map(weekdayOf) }] } }
}

/** Writes the values of a field as people do: all of them, each 15th, a range such as `9-17`, or a list such as `1,15`. */
function describeField(
  values: readonly number[],
  { first, last }: { readonly first: number; readonly last: number },
  nameOf: (value: number) => string = String,
): string {
  const [lowest = first, next = lowest] = values
  const step = next - lowest
  const count = Math.floor((last - first) / Math.max(1, step)) + 1
  if (lowest === first && values.length === count && values.every((value, index) => value === first + index * step)) {
    if (step === 1) return '*'
    if (count > 2) return `*/${step}`
  }
  const groups: (readonly [number, number])[] = []
  for (const value of values) {
    const [from, until] = groups.at(-1) ?? [Number.NaN, Number.NaN]
    if (value === until + 1) groups[groups.length - 1] = [from, value]
    else groups.push([value, value])
  }
  return groups
    .flatMap(([from, until]) => {
      if (until - from < 2) return from === until ? [nameOf(from)] : [nameOf(from), nameOf(until)]
      return [`${nameOf(from)}-${nameOf(until)}`]
    })
    .join(',')
}
