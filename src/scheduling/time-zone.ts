import type { Slot } from '../contract/index.ts'

/** A time from `start` to before `end` in which clocks keep their distance from UTC: they show `moment + offset`, in seconds. */
export type Period = { readonly start: Slot; readonly end: Slot; readonly offset: number }

/** The clocks of a time zone. Periods that follow each other may have the same offset. */
export type Zone = { periodAt(moment: Slot): Period }

/** Two offsets of a zone differ by less than this: the Earth has clocks from UTC-12 to UTC+14. */
export const farthestShift = 2 * 86_400

const utc: Zone = { periodAt: () => ({ start: -Infinity, end: Infinity, offset: 0 }) }

/** Shared by all schedules: a zone is the same for each. There are about 600 names. */
const zones = new Map<string, Zone>([['UTC', utc]])

/** The names of the tz database that consist of three capitals. Others, such as PST or BST, mean several zones at once. */
const shortNames = new Set(['CET', 'EET', 'EST', 'GMT', 'HST', 'MET', 'MST', 'PRC', 'ROC', 'ROK', 'UCT', 'UTC', 'WET'])

/** Returns the zone of an IANA name, or what is wrong with the name and what to write. */
export function zoneOf(name: string): Zone | string {
  const known = zones.get(name)
  if (known !== undefined) return known
  const problem = problemOf(name)
  if (problem !== undefined) return `${JSON.stringify(name)} ${problem}`
  const zone = createZone(name)
  zones.set(name, zone)
  return zone
}

function problemOf(name: string): string | undefined {
  const instead = 'write an IANA name such as "Europe/Berlin", or "UTC"'
  const offset = /^(?:UTC|GMT)?(?<sign>[+-])(?<hours>\d{1,2})(?::?(?<minutes>\d\d))?$/u.exec(name)?.groups
  if (offset !== undefined) {
    const { sign = '', hours = '', minutes = '00' } = offset
    // The tz database counts these from the other side.
    const fixed = Number(minutes) === 0 && Number(hours) <= 12 && Number(hours) > 0
    const etc = fixed
      ? `, or "Etc/GMT${sign === '+' ? '-' : '+'}${Number(hours)}" if the clocks there never change (its sign is reversed)`
      : ''
    return `is an offset and not a time zone; ${instead}${etc}`
  }
  const canonical = canonicalNameOf(name)
  if (canonical === undefined || name.startsWith('SystemV/')) return `is not a time zone; ${instead}`
  if (/^[A-Z]{3}$/u.test(name) && !shortNames.has(name)) return `is an abbreviation that several time zones share; ${instead}`
  if (canonical !== name && canonical.toLowerCase() === name.toLowerCase())
    return `is not how this time zone is written; write ${JSON.stringify(canonical)}`
  return /^[A-Z]/u.test(name) ? undefined : `is not how a time zone is written; ${instead}`
}

function canonicalNameOf(name: string): string | undefined {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: name }).resolvedOptions().timeZone
  } catch {
    return undefined
  }
}

/** Changes are looked up in parts of about a year, when one is asked for the first time. */
const partSeconds = 2 ** 25
/** How far apart one looks. No zone has had two changes within a week since 2000; a day on which two came is not found. */
const stepSeconds = 2 ** 18

function createZone(name: string): Zone {
  const parts = new Map<number, readonly Period[]>()
  return {
    periodAt(moment) {
      const part = Math.floor(moment / partSeconds)
      let periods = parts.get(part)
      if (periods === undefined) parts.set(part, (periods = periodsOf(name, part * partSeconds)))
      const found = periods.find(({ end }) => moment < end)
      if (found === undefined) throw new RangeError(`${moment} is not a moment`)
      return found
    },
  }
}

function periodsOf(name: string, start: Slot): readonly Period[] {
  const offsetAt = offsetsOf(name)
  const end = start + partSeconds
  const periods: Period[] = []
  let from = start
  let offset = offsetAt(start)
  for (let checked = start; checked < end;) {
    let next = Math.min(checked + stepSeconds, end)
    if (offsetAt(next) === offset) {
      checked = next
      continue
    }
    // The change is after `checked`, and at `next` at the latest.
    while (next - checked > 1) {
      const middle = Math.floor((checked + next) / 2)
      if (offsetAt(middle) === offset) checked = middle
      else next = middle
    }
    if (next >= end) break
    periods.push({ start: from, end: next, offset })
    from = checked = next
    offset = offsetAt(next)
  }
  return [...periods, { start: from, end, offset }]
}

/** Returns a function that tells the offset of a moment. It is slow and large, and is not kept. */
function offsetsOf(timeZone: string): (moment: Slot) => number {
  const format = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' })
  return (moment) => {
    const text = format.format(moment * 1000)
    const [, sign, hours = 0, minutes = 0, seconds = 0] = /GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/u.exec(text) ?? []
    const distance = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)
    return sign === '-' ? -distance : distance
  }
}
