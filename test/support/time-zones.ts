/**
 * The changes of clocks, found in another way than `src/scheduling/time-zone.ts` does: by reading what clocks show,
 * every second day.
 */

/** From `at` (Unix seconds) on, clocks show `at + after` seconds instead of `at + before`. */
export type ClockChange = { readonly at: number; readonly before: number; readonly after: number }

const year = (number: number): number => Date.UTC(number, 0) / 1000

/** The changes from the beginning of one year to the beginning of another. */
export function clockChangesOf(timeZone: string, fromYear: number, toYear: number): readonly ClockChange[] {
  const offsetAt = offsetsOf(timeZone)
  const changes: ClockChange[] = []
  for (let at = year(fromYear), before = offsetAt(at); at < year(toYear); at += 2 * 86_400) {
    const after = offsetAt(at + 2 * 86_400)
    if (after === before) continue
    let [last, first] = [at, at + 2 * 86_400]
    while (first - last > 1) {
      const middle = Math.floor((first + last) / 2)
      if (offsetAt(middle) === before) last = middle
      else first = middle
    }
    changes.push({ at: first, before, after })
    before = after
  }
  return changes
}

export function offsetsOf(timeZone: string): (at: number) => number {
  const options = { year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit' } as const
  const format = new Intl.DateTimeFormat('en-US', { timeZone, hourCycle: 'h23', ...options })
  return (at) => {
    // 11/30/2026, 12:00:00
    const [month = 0, day = 0, fullYear = 0, hour = 0, minute = 0, second = 0] = format
      .format(at * 1000)
      .split(/\D+/u)
      .map(Number)
    return Date.UTC(fullYear, month - 1, day, hour, minute, second) / 1000 - at
  }
}

/** A file of the tz database, so that another program has the same changes, whichever version of the database it brings. */
export function zoneFileOf(timeZone: string, fromYear: number, toYear: number): Buffer {
  const changes = clockChangesOf(timeZone, fromYear, toYear)
  const offsets = [offsetsOf(timeZone)(year(fromYear)), ...changes.map(({ after }) => after)]
  const names = Buffer.from('ZONE\0')
  const header = Buffer.alloc(44)
  header.write('TZif')
  header.writeUInt32BE(changes.length, 32)
  header.writeUInt32BE(offsets.length, 36)
  header.writeUInt32BE(names.length, 40)
  const times = Buffer.alloc(changes.length * 4)
  changes.forEach(({ at }, index) => times.writeInt32BE(at, index * 4))
  const types = Buffer.alloc(offsets.length * 6)
  offsets.forEach((offset, index) => types.writeInt32BE(offset, index * 6))
  return Buffer.concat([header, times, Buffer.from(changes.map((_, index) => index + 1)), types, names])
}
