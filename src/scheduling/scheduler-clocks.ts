/**
 * What job schedulers of BullMQ do on days on which clocks change. Nobody can choose it, so a schedule whose slots fall into a change is due at
 * other times there.
 *
 * Their library (cron-parser 5.10) moves the first time in a gap as much later as the gap is long, leaves out the others, and takes a time that
 * exists twice the first time. It does so if a change is of one hour within one day. On other changes it leaves out slots of that day, and
 * sometimes of the next, which follows no rule. `scheduler-clocks.test.ts` compares with the library itself.
 */
import { type Slot, slotTime } from '../contract/index.ts'
import { clockRuleOf, type ClockRule, defaultClockRule, isPace, slotAfter } from './clock-changes.ts'
import { formatReading } from './clock-notes.ts'
import { type CronExpression, parseCron } from './cron.ts'
import { type Zone, zoneOf } from './time-zone.ts'
import { nextReading } from './wall-clock.ts'

/** So long people do not look at a schedule again. */
const lookAheadSeconds = 10 * 366 * 86_400
const [hour, day] = [3600, 86_400]

/**
 * Returns the first change of the next ten years on which a job scheduler would be due at other times than the schedule is, and what it would do
 * (`on 2027-03-28 clocks in Europe/Berlin skip 02:00 to 03:00, and …`); undefined: there is none.
 */
export function findSchedulerClocks(
  expression: string,
  timeZone: string,
  from: Slot,
): { readonly at: Slot; readonly message: string } | undefined {
  const [parsed, zone] = [parseCron(expression), zoneOf(timeZone)]
  if (typeof parsed === 'string' || typeof zone === 'string') return undefined
  for (let period = zone.periodAt(from); period.end < from + lookAheadSeconds;) {
    const next = zone.periodAt(period.end)
    const change = { at: period.end, before: period.offset, after: next.offset }
    const difference = change.before === change.after ? undefined : differenceAt(change, parsed, zone)
    if (difference !== undefined) return { at: change.at, message: describe(difference, change, timeZone) }
    period = next
  }
  return undefined
}

type Change = { readonly at: Slot; readonly before: number; readonly after: number }

/** Slots of a change that only one of the two has. `Irregular`: BullMQ follows no rule. */
type Difference = { readonly ours: readonly Slot[]; readonly theirs: readonly Slot[] | 'Irregular' }

function differenceAt(change: Change, expression: CronExpression, zone: Zone): Difference | undefined {
  const [first, last] = [change.at - day, change.at + day]
  const ours = slotsOf(expression, zone, clockRuleOf(expression, defaultClockRule), first, last)
  if (!isRegular(change)) return ours.length === 0 ? undefined : { ours, theirs: 'Irregular' }
  const theirs = schedulerSlots(expression, zone, change, first, last)
  const [onlyOurs, onlyTheirs] = [ours.filter((slot) => !theirs.includes(slot)), theirs.filter((slot) => !ours.includes(slot))]
  return onlyOurs.length + onlyTheirs.length === 0 ? undefined : { ours: onlyOurs, theirs: onlyTheirs }
}

/** By one hour, and away from midnight. */
function isRegular({ at, before, after }: Change): boolean {
  const timeOfDay = (((at + Math.min(before, after)) % day) + day) % day
  return Math.abs(after - before) === hour && timeOfDay >= hour && timeOfDay + 2 * hour < day
}

function schedulerSlots(expression: CronExpression, zone: Zone, { at, before, after }: Change, first: Slot, last: Slot): readonly Slot[] {
  if (isPace(expression)) return slotsOf(expression, zone, { gap: 'Skip', overlap: 'Both' }, first, last)
  const shown = slotsOf(expression, zone, { gap: 'Skip', overlap: 'First' }, first, last)
  const reading = nextReading(expression, at + before)
  return reading !== undefined && reading < at + after ? [...new Set([...shown, reading - before])] : shown
}

function slotsOf(expression: CronExpression, zone: Zone, rule: ClockRule, first: Slot, last: Slot): readonly Slot[] {
  const slots: Slot[] = []
  for (let slot = slotAfter(expression, zone, rule, first); slot !== undefined && slot <= last;) {
    slots.push(slot)
    slot = slotAfter(expression, zone, rule, slot)
  }
  return slots
}

function describe({ ours, theirs }: Difference, { at, before, after }: Change, timeZone: string): string {
  const [from, until] = [at + Math.min(before, after), at + Math.max(before, after)].map((reading) => formatReading(reading).slice(15))
  const what = after > before ? 'skip' : 'show twice'
  const change = `on ${slotTime(at).slice(0, 10)} clocks in ${timeZone} ${what} ${from} to ${until}`
  if (theirs === 'Irregular') return `${change}, and BullMQ leaves out slots around such a change`
  if (theirs.length === 0) return `${change}, and BullMQ would not run at ${timesOf(ours)}`
  return `${change}, and BullMQ would run at ${timesOf(theirs)}${ours.length === 0 ? ' too' : ` and not at ${timesOf(ours)}`}`
}

function timesOf(slots: readonly Slot[]): string {
  return slots.slice(0, 2).map(slotTime).join(' and ')
}
