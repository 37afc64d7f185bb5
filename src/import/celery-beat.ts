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
  const zone = typeof timezone === 'string' && timezone !== '' ? timezone : 'UTC'
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

function draftOf(name: string, entry: Fields, { zone, queue }: { readonly zone: string; readonly queue: string }): Draft {
  const notes: string[] = []
  const { task, args, kwargs, options, schedule } = entry
  const own = isRecord(options) ? options : {}
  const when = whenOf(isRecord(schedule) ? schedule : {}, zone, notes)
  const payload = payloadOf(args, kwargs, notes)
  for (const option of Object.keys(own).filter((each) => each !== 'queue' && each !== 'expires')) {
    notes.push(`options.${option} (${JSON.stringify(own[option])}) has no counterpart here; task.retry and task.priority may serve.`)
  }
  const expires = own['expires']
  const deadline = typeof expires === 'number' && expires >= 1 ? { startingDeadlineSeconds: Math.floor(expires) } : {}
  if (expires !== undefined && expires !== null) {
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
      ...deadline,
      task: { type: task, queue: typeof own['queue'] === 'string' ? own['queue'] : queue, ...(payload === undefined ? {} : { payload }) },
    },
  }
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

function whenOf(schedule: Fields, zone: string, notes: string[]): Fields | undefined {
  const { crontab, seconds, solar } = schedule
  if (typeof seconds === 'number') {
    notes.push('Beat counts an interval from its own start and from the last run; Taskmill counts everySeconds from 1970-01-01T00:00:00Z.')
    return { everySeconds: seconds }
  }
  if (solar !== undefined) {
    notes.push(`solar (${JSON.stringify(solar)}) has no counterpart: choose a time of day, or several by month.`)
    return undefined
  }
  if (!Array.isArray(crontab) || crontab.length !== 5) {
    notes.push('Its schedule is of a kind that is not known: write schedules or everySeconds.')
    return undefined
  }
  return whenOfCrontab(crontab.map(String), zone, notes)
}

const weekdays = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'] as const

function whenOfCrontab(fields: readonly string[], zone: string, notes: string[]): Fields | undefined {
  const [minute = '*', hour = '*', day = '*', month = '*', weekday = '*'] = fields.map((field) => field.replaceAll(/\s/gu, ''))
  const named = weekday.replaceAll(
    /sun(?:day)?|mon(?:day)?|tue(?:s|sday)?|wed(?:nesday)?|thu(?:rs|rsday)?|fri(?:day)?|sat(?:urday)?/giu,
    (each) => each.slice(0, 3).toUpperCase(),
  )
  // Beat needs both fields for days, cron one of them: the weekdays become a calendar.
  const needsBoth = !day.startsWith('*') && named !== '*'
  const expression = `${minute} ${hour} ${day} ${month} ${needsBoth ? '*' : named}`
  if (isTouchedByClocks(expression, zone)) {
    notes.push(
      'On days on which clocks change, beat may leave a time out or run it twice; Taskmill runs each time of day once, a skipped one at the end of the gap.',
    )
  }
  if (!needsBoth) return { schedules: [expression], timeZone: zone }
  const days = daysOf(named)
  if (days === undefined) {
    notes.push(
      `day_of_month ${day} and day_of_week ${named} must both hold for beat, and this day_of_week is no list of weekdays: write it as spec.calendars.`,
    )
    return undefined
  }
  notes.push('Beat needs day_of_month and day_of_week at once, a cron expression one of them: the weekdays are in calendars.')
  return { schedules: [expression], timeZone: zone, calendars: { include: [{ name: 'weekdays', weekdays: days }] } }
}

/** The weekdays of `1-5`, `MON,WED`; undefined: it is no list of days and ranges. */
function daysOf(text: string): readonly string[] | undefined {
  const indexOf = (each: string): number => (/^[0-7]$/u.test(each) ? Number(each) % 7 : weekdays.findIndex((day) => day === each))
  const found = new Set<string>()
  for (const item of text.split(',')) {
    const [first = '', last = first, ...more] = item.split('-')
    const [from, until] = [indexOf(first), indexOf(last)]
    if (from < 0 || until < 0 || more.length > 0) return undefined
    for (let day = from; ; day = (day + 1) % 7) {
      found.add(weekdays[day] ?? 'SUN')
      if (day === until) break
    }
  }
  return [...found]
}
