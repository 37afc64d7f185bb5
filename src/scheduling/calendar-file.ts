/** A calendar as a text: dates, one in a line, or an iCalendar file. */
import { anyOf, type Cover, daysAsReadings, type FileCover, inZone } from './cover.ts'
import { onDates, parseDates } from './days.ts'
import { isICalendar, parseICalendar } from './icalendar.ts'
import type { Zone } from './time-zone.ts'

/** Returns what a file covers, or what is wrong with it, with the line, and what to write. */
export function parseCalendarFile(text: string): FileCover | string {
  return isICalendar(text) ? parseICalendar(text) : parseDateList(text)
}

export function fileInZone({ readings, moments }: FileCover, zone: Zone): Cover {
  return anyOf([...readings.map((cover) => inZone(cover, zone)), ...moments])
}

/** A `#` begins a comment, and lines may be empty. */
function parseDateList(text: string): FileCover | string {
  const all = []
  for (const [index, line] of text.split(/\r?\n/u).entries()) {
    const date = line.replace(/#.*/u, '').trim()
    if (date === '') continue
    const dates = parseDates(date.slice(0, longestQuote))
    if (typeof dates === 'string') return `line ${index + 1}: ${dates}`
    all.push(dates)
  }
  return { readings: onDates(all).map((cover) => daysAsReadings(cover)), moments: [] }
}

/** What is said about a file is read by more people than the file. */
const longestQuote = 40
