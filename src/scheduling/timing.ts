import { Cron } from 'croner'
import type { Slot } from '../contract/index.ts'

/** When a schedule is due: cron expressions in a time zone, or every so many seconds since 1970-01-01T00:00:00Z. */
export type Timing = { readonly schedules: readonly string[]; readonly timeZone: string } | { readonly everySeconds: number }

/** The slots of a timing: each moment once, however many expressions name it. */
export type SlotSource = {
  /** The first slot after this one. */
  next(after: Slot): Slot | undefined
  /** The newest `limit` slots after `after`, up to and including `until`, ascending. Costs as many slots as it returns. */
  between(after: Slot, until: Slot, limit: number): readonly Slot[]
}

export type ParsedTiming =
  { readonly ok: true; readonly slots: SlotSource } | { readonly ok: false; readonly field: string; readonly message: string }

/**
 * A moment that the clock change of spring skips: a fixed time (one second, minute and hour: `30 2 * * *`) is due at the end of the gap;
 * other expressions have no slot in the gap. A moment that autumn repeats: a fixed time is due once, the first time; other expressions
 * are due both times, as every real half an hour for a half-hourly one.
 */
export function parseTiming(timing: Timing): ParsedTiming {
  if ('everySeconds' in timing) {
    const { everySeconds } = timing
    if (Number.isSafeInteger(everySeconds) && everySeconds >= 1) return { ok: true, slots: everySlots(everySeconds) }
    return { ok: false, field: 'everySeconds', message: `${everySeconds} is not a whole number of seconds; write 1 or more` }
  }
  const { schedules, timeZone } = timing
  if (!isTimeZone(timeZone)) {
    const message = `${JSON.stringify(timeZone)} is not a time zone; write an IANA name such as "Europe/Berlin", or "UTC"`
    return { ok: false, field: 'timeZone', message }
  }
  if (schedules.length === 0) return { ok: false, field: 'schedules', message: 'is empty; write one expression or more' }
  const crons: Cron[] = []
  for (const [index, expression] of schedules.entries()) {
    const parsed = parseExpression(expression, timeZone)
    if (typeof parsed === 'string') return { ok: false, field: `schedules[${index}]`, message: parsed }
    crons.push(parsed)
  }
  return { ok: true, slots: cronSlots(crons) }
}

const nicknames = /^@(?:hourly|daily|midnight|weekly|monthly|yearly|annually)$/iu
const inWords = 'write minute hour day-of-month month day-of-week, with seconds in front if you need them, for example "0 1 * * SUN"'

/** The expression, or what is wrong with it and what to write. */
function parseExpression(expression: string, timezone: string): Cron | string {
  const trimmed = expression.trim()
  const quoted = JSON.stringify(expression)
  const fields = trimmed.split(/\s+/u)
  if (/^@every\b/iu.test(trimmed)) return `${quoted} is not a cron expression; use everySeconds instead`
  if (trimmed.startsWith('@') && !nicknames.test(trimmed)) {
    return `${quoted} is not a known name; write @hourly, @daily, @weekly, @monthly or @yearly, or an expression`
  }
  if (/^(?:CRON_)?TZ=/u.test(trimmed)) return `${quoted} contains a time zone; write it in timeZone`
  if (!trimmed.startsWith('@') && fields.length !== 5 && fields.length !== 6) {
    const years = fields.length === 7 ? ' (there is no field for years)' : ''
    const count = trimmed === '' ? 0 : fields.length
    return `${quoted} has ${count} ${count === 1 ? 'field' : 'fields'}, but needs 5 or 6${years}; ${inWords}`
  }
  try {
    const cron = new Cron(trimmed, { timezone, mode: '5-or-6-parts' })
    if (cron.nextRun(new Date(0)) !== null) return cron
    return `${quoted} is never due, because there is no such day; correct day-of-month or month`
  } catch (error) {
    const cause = error instanceof Error ? error.message.replace(/^Cron\w+: /u, '') : String(error)
    return `${quoted} is not a valid cron expression (${cause}); ${inWords}`
  }
}

function isTimeZone(timezone: string): boolean {
  if (timezone === '') return false
  try {
    return new Cron('* * * * *', { timezone }).nextRun(new Date(0)) !== null
  } catch {
    return false
  }
}

function everySlots(seconds: number): SlotSource {
  return {
    next: (after) => (Math.floor(after / seconds) + 1) * seconds,
    between(after, until, limit) {
      const newest = Math.floor(until / seconds)
      const oldest = Math.max(Math.floor(after / seconds) + 1, newest - limit + 1)
      return Array.from({ length: Math.max(0, newest - oldest + 1) }, (_, index) => (oldest + index) * seconds)
    },
  }
}

/** As many slots are remembered of each source: those that people read, and those that are placed ahead. */
const remembered = 64

function cronSlots(crons: readonly Cron[]): SlotSource {
  const compute = (after: Slot): Slot | undefined => {
    const found = crons.flatMap((cron) => cron.nextRun(new Date(after * 1000))?.getTime() ?? [])
    return found.length === 0 ? undefined : Math.min(...found) / 1000
  }
  // Each is asked for many times, and costs a tenth of a millisecond: `known` are all slots after `from`, up to the last of them.
  let from = Infinity
  let known: Slot[] = []
  const next = (after: Slot): Slot | undefined => {
    const hit = after >= from ? known.find((slot) => slot > after) : undefined
    if (hit !== undefined) return hit
    const slot = compute(after)
    if (slot === undefined) return undefined
    if (known.at(-1) === after) known.push(slot)
    else if (slot === known[0]) from = after
    else [from, known] = [after, [slot]]
    if (known.length > remembered) from = known.shift() ?? from
    return slot
  }
  return {
    next,
    between(after, until, limit) {
      // Nearly always there is nothing, which looking backwards from `until` is a long way to find out.
      const first = next(after)
      if (first === undefined || first > until) return []
      const heads = crons.map((cron) => backwards(cron, after, until))
      const slots: Slot[] = []
      while (slots.length < limit) {
        const newest = Math.max(...heads.map((head) => head.slot ?? -Infinity))
        if (newest === -Infinity) break
        slots.push(newest)
        for (const head of heads) if (head.slot === newest) head.advance()
      }
      return slots.toReversed()
    },
  }
}

/** The slots of one expression from `until` back to, and without, `after`; computed in chunks that grow. */
function backwards(cron: Cron, after: Slot, until: Slot) {
  let chunk: readonly Date[] = []
  let size = 2
  let at = -1
  let before = until + 1
  const head = {
    slot: undefined as Slot | undefined,
    advance() {
      if (++at >= chunk.length) {
        size = Math.min(size * 2, 256)
        chunk = cron.previousRuns(size, new Date(before * 1000))
        at = 0
      }
      const date = chunk[at]
      before = date === undefined ? before : date.getTime() / 1000
      head.slot = date === undefined || before <= after ? undefined : before
    },
  }
  head.advance()
  return head
}
