import { Cron } from 'croner'
import type { Slot } from '../contract/index.ts'

/** When a schedule is due: cron expressions in a time zone, or an interval counted from 1970-01-01T00:00:00Z. */
export type Timing = { readonly schedules: readonly string[]; readonly timeZone: string } | { readonly everySeconds: number }

/** The slots of a timing. Each time is one slot, even if several expressions name it. */
export type SlotSource = {
  /** Returns the first slot after `after`. */
  next(after: Slot): Slot | undefined
  /**
   * Returns the newest `limit` slots after `after`, up to and including `until`, ascending. The cost follows the number
   * of returned slots, not the length of the range.
   */
  between(after: Slot, until: Slot, limit: number): readonly Slot[]
}

export type ParsedTiming =
  { readonly ok: true; readonly slots: SlotSource } | { readonly ok: false; readonly field: string; readonly message: string }

/**
 * Compiles a timing, or returns what is wrong with it.
 *
 * Daylight saving: a fixed time (one second, minute and hour: `30 2 * * *`) that spring skips is due at the end of the
 * gap, and one that autumn repeats is due once, the first time. Other expressions have no slot in the gap and are due
 * in both repeated hours, so that a half-hourly one stays half-hourly in real time.
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

/** Returns the expression, or what is wrong with it and what to write. */
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

/** Number of slots that are cached per source: those that users read, and those that are placed ahead. */
const remembered = 64

function cronSlots(crons: readonly Cron[]): SlotSource {
  const compute = (after: Slot): Slot | undefined => {
    const found = crons.flatMap((cron) => cron.nextRun(new Date(after * 1000))?.getTime() ?? [])
    return found.length === 0 ? undefined : Math.min(...found) / 1000
  }
  // `nextStep` asks for the same slots many times, and computing one costs 0.1 ms. `known` holds all slots after
  // `from`, up to its last entry.
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
      // Usually there is no slot in the range. Looking backwards from `until` would be a slow way to find that out.
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

/** Yields the slots of one expression from `until` back to `after` (exclusive), computed in growing chunks. */
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
