import type { Slot } from '../contract/index.ts'
import { type ClockRule, clockRuleOf, defaultClockRule, slotAfter, slotUpTo } from './clock-changes.ts'
import { type CronExpression, parseCron } from './cron.ts'
import { type Zone, zoneOf } from './time-zone.ts'
import type { PrimitiveEngine } from './primitive.ts'
import { nextReading } from './wall-clock.ts'

/** When a schedule is due, but for what calendars leave out. Moments are slots, which are whole seconds. */
export type Timing = Bounds &
  /** `dst`: for times of day, if it is not the default. */
  (
    | { readonly schedules: readonly string[]; readonly timeZone: string; readonly dst?: ClockRule }
    /** Counted from `offsetSeconds` after 1970-01-01T00:00:00Z. */
    | { readonly everySeconds: number; readonly offsetSeconds?: number }
    | { readonly at: readonly Slot[] }
  ) & {
    readonly calendars?: CalendarsVersion
    /** Who else than Taskmill starts the runs. */
    readonly engine?: PrimitiveEngine
    /** By how much runs are delayed at most: see `jitter.ts`. No matter of a `SlotSource`: a slot is the moment without its delay. */
    readonly jitterSeconds?: number
    /** With the engine BullMQ: the queue that has the job scheduler. */
    readonly schedulerQueue?: string
  }

/** What ends a schedule, or keeps it from beginning. */
type Bounds = {
  readonly startTime?: Slot
  readonly endTime?: Slot
  /** After so many dispatched slots no other is due. No matter of a `SlotSource`, which does not know what was dispatched. */
  readonly maxRuns?: number
}

/** Tells calendars that leave other slots from those before, without all of their dates. */
export type CalendarsVersion = {
  /** Of what the spec says. */
  readonly rules: string
  /** Of the contents of the files that it names; missing until they can be read. */
  readonly files?: string
}

/** The slots of a timing. Each time is one slot, even if several expressions name it. */
export type SlotSource = {
  /** Returns the first slot after `after`. */
  next(after: Slot): Slot | undefined
  /**
   * Returns the newest `limit` slots after `after`, up to and including `until`, ascending. The cost follows the number
   * of returned slots, not the length of the range.
   */
  between(after: Slot, until: Slot, limit: number): readonly Slot[]
  /**
   * Returns how many slots there are after `after`, up to and including `until`, at the same cost for every range. Missing:
   * the slots can only be counted one by one.
   */
  readonly count?: (after: Slot, until: Slot) => number
  /** The first slot that was left out, if these are those of a schedule up to some moment: the last one is delayed as if it followed. */
  readonly cutBefore?: Slot | undefined
}

export type ParsedTiming =
  { readonly ok: true; readonly slots: SlotSource } | { readonly ok: false; readonly field: string; readonly message: string }

/**
 * Compiles a timing without its calendars, or returns what is wrong with it. Days on which clocks change: see `clock-changes.ts`. `seed` is what `H` follows from;
 * a timing whose expressions are resolved needs none.
 */
export function parseTiming(timing: Timing, seed?: string): ParsedTiming {
  const parsed = parseMember(timing, seed)
  const { startTime, endTime } = timing
  if (!parsed.ok || (startTime === undefined && endTime === undefined)) return parsed
  const slots = slotsWithin(parsed.slots, { startTime, endTime })
  if (startTime === undefined || slots.next(startTime - 1) !== undefined) return { ok: true, slots }
  return { ok: false, field: 'endTime', message: 'no slot is due from startTime to endTime; write a later time' }
}

/** Whether a time is ever due is looked for from here on. */
const referenceSlot = Date.UTC(2026, 0) / 1000

function parseMember(timing: Timing, seed: string | undefined): ParsedTiming {
  if ('everySeconds' in timing) return parseInterval(timing)
  if ('at' in timing) return { ok: true, slots: singleSlots(timing.at) }
  const { schedules, timeZone, dst = defaultClockRule } = timing
  const zone = zoneOf(timeZone)
  if (typeof zone === 'string') return { ok: false, field: 'timeZone', message: zone }
  if (schedules.length === 0) return { ok: false, field: 'schedules', message: 'is empty; write one expression or more' }
  const expressions: CronExpression[] = []
  for (const [index, text] of schedules.entries()) {
    const parsed = parseExpression(text, seed)
    if (typeof parsed === 'string') return { ok: false, field: `schedules[${index}]`, message: parsed }
    if (dst.gap === 'Skip' && slotAfter(parsed, zone, clockRuleOf(parsed, dst), referenceSlot) === undefined) {
      const message = `${JSON.stringify(text)} is never due, because clocks in ${timeZone} skip it each time; write another time, or set dst.gap to RunAfterGap`
      return { ok: false, field: `schedules[${index}]`, message }
    }
    expressions.push(parsed)
  }
  return { ok: true, slots: cronSlots(expressions, zone, dst) }
}

function parseInterval({ everySeconds, offsetSeconds = 0 }: Extract<Timing, { readonly everySeconds: number }>): ParsedTiming {
  if (!Number.isSafeInteger(everySeconds) || everySeconds < 1)
    return { ok: false, field: 'everySeconds', message: `${everySeconds} is not a whole number of seconds; write 1 or more` }
  if (!Number.isSafeInteger(offsetSeconds) || offsetSeconds < 0 || offsetSeconds >= everySeconds)
    return { ok: false, field: 'offsetSeconds', message: `${offsetSeconds} is not below everySeconds; write 0 to ${everySeconds - 1}` }
  return { ok: true, slots: everySlots(everySeconds, offsetSeconds) }
}

/** Returns the expression, or what is wrong with it and what to write. */
function parseExpression(text: string, seed: string | undefined): CronExpression | string {
  const parsed = parseCron(text, seed)
  if (typeof parsed === 'string' || nextReading(parsed, 0) !== undefined) return parsed
  return `${JSON.stringify(text)} is never due, because there is no such day; correct day-of-month or month`
}

function everySlots(seconds: number, offset: number): SlotSource {
  const countUpTo = (moment: Slot): number => Math.floor((moment - offset) / seconds)
  return {
    next: (after) => (countUpTo(after) + 1) * seconds + offset,
    between(after, until, limit) {
      const newest = countUpTo(until)
      const oldest = Math.max(countUpTo(after) + 1, newest - limit + 1)
      return Array.from({ length: Math.max(0, newest - oldest + 1) }, (_, index) => (oldest + index) * seconds + offset)
    },
    count: (after, until) => Math.max(0, countUpTo(until) - countUpTo(after)),
  }
}

/** Single times, in any order; the same time twice is one slot. */
function singleSlots(times: readonly Slot[]): SlotSource {
  const slots = [...new Set(times)].toSorted((a, b) => a - b)
  return {
    next: (after) => slots.find((slot) => slot > after),
    between: (after, until, limit) => slots.filter((slot) => slot > after && slot <= until).slice(-limit),
    count: (after, until) => slots.filter((slot) => slot > after && slot <= until).length,
  }
}

/** Returns the newest moment that can be a slot at this time. */
export function slotAt(nowMs: number): Slot {
  return Math.floor(nowMs / 1000)
}

/** Returns the slots of a source from `startTime` to `endTime`, both included. */
export function slotsWithin(
  slots: SlotSource,
  { startTime = -Infinity, endTime = Infinity }: { readonly startTime?: Slot | undefined; readonly endTime?: Slot | undefined },
): SlotSource {
  const { count } = slots
  const cut = (after: Slot, until: Slot) => [Math.max(after, startTime - 1), Math.min(until, endTime)] as const
  return {
    next(after) {
      const slot = slots.next(Math.max(after, startTime - 1))
      return slot === undefined || slot > endTime ? undefined : slot
    },
    between(after, until, limit) {
      const [first, last] = cut(after, until)
      return first < last ? slots.between(first, last, limit) : []
    },
    ...(count && {
      count(after, until) {
        const [first, last] = cut(after, until)
        return first < last ? count(first, last) : 0
      },
    }),
  }
}

/** Returns the slots of all expressions; `dst` is the rule for times of day. */
export function cronSlots(expressions: readonly CronExpression[], zone: Zone, dst: ClockRule): SlotSource {
  const upTo = (until: Slot): Slot => {
    let newest = -Infinity
    for (const each of expressions) newest = Math.max(newest, slotUpTo(each, zone, clockRuleOf(each, dst), until) ?? -Infinity)
    return newest
  }
  // Of each expression, the stretch without a slot that was found last: whoever walks over the slots of several asks for most of them again.
  const known = expressions.map(() => ({ after: Infinity, slot: -Infinity }))
  return {
    next(after) {
      let first = Infinity
      for (const [index, each] of expressions.entries()) {
        const last = known[index]
        if (last === undefined || after < last.after || after >= last.slot)
          known[index] = { after, slot: slotAfter(each, zone, clockRuleOf(each, dst), after) ?? Infinity }
        first = Math.min(first, known[index]?.slot ?? Infinity)
      }
      return first === Infinity ? undefined : first
    },
    between(after, until, limit) {
      const slots: Slot[] = []
      for (let slot = upTo(until); slot > after && slots.length < limit; slot = upTo(slot - 1)) slots.push(slot)
      return slots.toReversed()
    },
  }
}
