/** The ledger as a document in the broker: its version, and how it is read. */
import { type Fields, readFields, readList, readNumber, readOneOf, readOptional, readText, readVersion } from '../contract/index.ts'
import type { ClockRule } from './clock-changes.ts'
import { type Ending, endingReasons, type Ledger, openStates, type RunOutcome, runReasons, type SchedulePlan } from './ledger.ts'
import { primitiveEngines } from './primitive.ts'
import type { CalendarsVersion, Timing } from './timing.ts'

export type ParsedLedger = { readonly ok: true; readonly ledger: Ledger } | { readonly ok: false; readonly message: string }

/**
 * Reads a stored ledger and drops unknown fields. A ledger that cannot be read must not be overwritten: a later version
 * may have written it.
 */
export function parseLedger(document: string): ParsedLedger {
  try {
    return { ok: true, ledger: readLedger(JSON.parse(document)) }
  } catch (error) {
    return { ok: false, message: `the ledger cannot be read: ${error instanceof Error ? error.message : String(error)}` }
  }
}

function readLedger(value: unknown): Ledger {
  const it = readVersion(value, 'the document', 3)
  const timing = readFields(it['timing'], 'timing')
  const last = it['lastDispatched'] === undefined ? undefined : readFields(it['lastDispatched'], 'lastDispatched')
  return {
    ...timedBy(readTiming(timing), timing['suspended'] === true),
    v: it['v'] === 3 ? 3 : it['v'] === 2 ? 2 : 1,
    ...readOptional('group', it['group'], readText),
    cursor: readNumber(it['cursor'], 'cursor'),
    open: readList(it['open'], 'open').map((each) => ({
      slot: readNumber(each['slot'], 'open.slot'),
      state: readOneOf(each['state'], openStates, 'open.state'),
      generation: readText(each['generation'], 'open.generation'),
      epoch: readNumber(each['epoch'], 'open.epoch'),
      ...readOptional('dueAt', each['dueAt'], readNumber),
      ...(each['restarts'] === true ? { restarts: true as const } : {}),
      ...(each['isCounted'] === true ? { isCounted: true as const } : {}),
    })),
    active: readList(it['active'], 'active').map((each) => ({
      slot: readNumber(each['slot'], 'active.slot'),
      generation: readText(each['generation'], 'active.generation'),
      ...readOptional('dueAt', each['dueAt'], readNumber),
      dispatchedAtMs: readNumber(each['dispatchedAtMs'], 'active.dispatchedAtMs'),
      ...readOptional('startedAtMs', each['startedAtMs'], readNumber),
      ...readOptional('ending', each['ending'], readEnding),
    })),
    dispatched: readNumber(it['dispatched'], 'dispatched'),
    ...(last && {
      lastDispatched: {
        slot: readNumber(last['slot'], 'lastDispatched.slot'),
        ...readOptional('dueAt', last['dueAt'], readNumber),
        atMs: readNumber(last['atMs'], 'lastDispatched.atMs'),
      },
    }),
    ...readOptional('lastRun', it['lastRun'], readOutcome),
    ...readOptional('lastSuccess', it['lastSuccess'], readOutcome),
    ...readOptional('lastFailure', it['lastFailure'], readOutcome),
    ...readOptional('recent', it['recent'], readRecentRuns),
    consecutiveFailures: readNumber(it['consecutiveFailures'], 'consecutiveFailures'),
    missed: Object.fromEntries(
      Object.entries(readFields(it['missed'], 'missed')).map(([reason, entry]) => {
        const name = `missed.${reason}`
        const { count, lastSlot, isLowerBound } = readFields(entry, name)
        const read = { count: readNumber(count, `${name}.count`), lastSlot: readNumber(lastSlot, `${name}.lastSlot`) }
        return [reason, isLowerBound === true ? { ...read, isLowerBound } : read]
      }),
    ),
    ...readOptional('settledAtMs', it['settledAtMs'], readNumber),
    ...readOptional('regressedAtMs', it['regressedAtMs'], readNumber),
  }
}

/** What readers of version 1 know of a timing, and of the policies. */
const versionOneFields = ['schedules', 'timeZone', 'everySeconds', 'suspended']
const versionOnePolicies: readonly SchedulePlan['concurrencyPolicy'][] = ['Allow', 'Forbid']

/** The fields of a ledger that follow from the timing by which its slots are decided. */
export function timedBy(timing: Timing, suspended: boolean): Pick<Ledger, 'v' | 'timing'> {
  const isVersionOne = Object.keys(timing).every((field) => versionOneFields.includes(field))
  return { v: isVersionOne ? 1 : 2, timing: { ...timing, suspended } }
}

/** Returns the ledger with the concurrency group, and the version, that it has under the policy of the plan. */
export function versionedFor(ledger: Ledger, { concurrencyPolicy, group }: Pick<SchedulePlan, 'concurrencyPolicy' | 'group'>): Ledger {
  if (group !== undefined) return { ...ledger, v: 3, group: group.name }
  const { group: _, ...ungrouped } = ledger
  const { v } = timedBy(ledger.timing, ledger.timing.suspended)
  return { ...ungrouped, v: versionOnePolicies.includes(concurrencyPolicy) ? v : 2 }
}

function readTiming(it: Fields): Timing {
  return {
    ...readTimingMember(it),
    ...readOptional('startTime', it['startTime'], readNumber),
    ...readOptional('endTime', it['endTime'], readNumber),
    ...readOptional('maxRuns', it['maxRuns'], readNumber),
    ...readOptional('jitterSeconds', it['jitterSeconds'], readNumber),
    ...readOptional('calendars', it['calendars'], readCalendars),
    ...readOptional('engine', it['engine'], (value, name) => readOneOf(value, primitiveEngines, name)),
    ...readOptional('schedulerQueue', it['schedulerQueue'], readText),
  }
}

function readTimingMember(it: Fields): Timing {
  const { everySeconds, at, schedules } = it
  if (everySeconds !== undefined) {
    return {
      everySeconds: readNumber(everySeconds, 'timing.everySeconds'),
      ...readOptional('offsetSeconds', it['offsetSeconds'], readNumber),
    }
  }
  if (Array.isArray(at)) return { at: at.map((each) => readNumber(each, 'timing.at')) }
  if (!Array.isArray(schedules)) throw new TypeError('timing.schedules is not a list')
  return {
    schedules: schedules.map((each) => readText(each, 'timing.schedules')),
    timeZone: readText(it['timeZone'], 'timing.timeZone'),
    ...readOptional('dst', it['dst'], readClockRule),
  }
}

function readClockRule(value: unknown, name: string): ClockRule {
  const { gap, overlap } = readFields(value, name)
  return { gap: readOneOf(gap, ['Skip', 'RunAfterGap'], `${name}.gap`), overlap: readOneOf(overlap, ['First', 'Both'], `${name}.overlap`) }
}

function readCalendars(value: unknown, name: string): CalendarsVersion {
  const { rules, files } = readFields(value, name)
  return { rules: readText(rules, `${name}.rules`), ...readOptional('files', files, readText) }
}

function readEnding(value: unknown, name: string): Ending {
  const it = readFields(value, name)
  return { reason: readOneOf(it['reason'], endingReasons, `${name}.reason`), message: readText(it['message'], `${name}.message`) }
}

function readOutcome(value: unknown, name: string): RunOutcome {
  const it = readFields(value, name)
  return {
    slot: readNumber(it['slot'], `${name}.slot`),
    succeeded: it['succeeded'] === true,
    reason: readOneOf(it['reason'], runReasons, `${name}.reason`),
    ...readOptional('message', it['message'], readText),
    ...readOptional('result', it['result'], readText),
    ...readOptional('attemptsMade', it['attemptsMade'], readNumber),
    ...readOptional('attempts', it['attempts'], readNumber),
    ...readOptional('worker', it['worker'], readText),
    ...readOptional('startedAtMs', it['startedAtMs'], readNumber),
    finishedAtMs: readNumber(it['finishedAtMs'], `${name}.finishedAtMs`),
  }
}

function readRecentRuns(value: unknown, name: string): string {
  const text = readText(value, name)
  for (const entry of text.split(';')) {
    const reason = /^\d+ (?<reason>[A-Za-z]+) -?\d+ (?:-|-?\d+) (?:-|\d+)$/u.exec(entry)?.groups?.['reason']
    if (reason === undefined) throw new TypeError(`${name} has the entry ${JSON.stringify(entry)}`)
    readOneOf(reason, runReasons, `${name}.reason`)
  }
  return text
}
