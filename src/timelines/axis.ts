/** Time from left to right, with the labels that the clocks of a zone show. */
import type { Slot } from '../contract/index.ts'
import { zoneOf } from '../scheduling/index.ts'
import type { Interval } from './simulate.ts'

export type Axis = {
  x(moment: number): number
  readonly ticks: readonly Tick[]
  /** Changes of the clocks within the span. */
  readonly changes: readonly { readonly at: Slot; readonly words: string }[]
}

export type Tick = {
  readonly at: Slot
  readonly time: string
  /** On the first tick of each day. */
  readonly date?: string
}

const minute = 60
const hour = 60 * minute
const day = 24 * hour
const steps = [
  1,
  2,
  5,
  10,
  15,
  30,
  ...[1, 2, 5, 10, 15, 30].map((count) => count * minute),
  ...[1, 2, 3, 6, 12].map((count) => count * hour),
]
const daySteps = [1, 2, 7, 14, 28, 91, 182, 364, 728, 3640].map((count) => count * day)
const leastDistance = 64

export function axisOf(
  { from, until }: Interval,
  timeZone: string,
  { left, right }: { readonly left: number; readonly right: number },
): Axis {
  const length = Math.max(1, until - from)
  const x = (moment: number): number => left + ((moment - from) / length) * (right - left)
  const most = Math.max(1, Math.floor((right - left) / leastDistance))
  const step = [...steps, ...daySteps].find((each) => length / each <= most) ?? Math.ceil(length / most / day) * day
  const ticks: Tick[] = []
  const changes: Axis['changes'][number][] = []
  let dated: string | undefined
  for (const { start, end, offset } of periodsWithin({ from, until }, timeZone)) {
    for (let reading = Math.ceil((start + offset) / step) * step; reading - offset < end; reading += step) {
      const date = dateOf(reading)
      ticks.push({ at: reading - offset, time: step >= day ? date : timeOf(reading), ...(step >= day || date === dated ? {} : { date }) })
      dated = date
    }
    const next = end >= until ? undefined : offsetAt(end, timeZone)
    if (next !== undefined && next !== offset) {
      const words = next > offset ? 'clocks go forward' : 'clocks go back'
      changes.push({ at: end, words: `${words}: ${timeOf(end + offset)} becomes ${timeOf(end + next)}` })
    }
  }
  return { x, ticks, changes }
}

/** The times between two changes of the clocks, the last of them with the end. */
function periodsWithin(
  { from, until }: Interval,
  timeZone: string,
): readonly { readonly start: number; readonly end: number; readonly offset: number }[] {
  const zone = zoneOf(timeZone)
  if (typeof zone === 'string') throw new TypeError(zone)
  const periods = []
  for (let start = from; start <= until;) {
    const { end, offset } = zone.periodAt(Math.floor(start))
    periods.push({ start, end: Math.min(end, until + 1), offset })
    start = end
  }
  return periods
}

function offsetAt(moment: number, timeZone: string): number {
  const zone = zoneOf(timeZone)
  if (typeof zone === 'string') throw new TypeError(zone)
  return zone.periodAt(Math.floor(moment)).offset
}

/** What the clocks of the zone show: `07:30`, with seconds where there are any. */
export function localTime(moment: number, timeZone: string): string {
  return timeOf(moment + offsetAt(moment, timeZone))
}

/** The day that they show: `Sun 2026-03-29`. */
export function localDay(moment: number, timeZone: string): string {
  const reading = moment + offsetAt(moment, timeZone)
  const date = new Date(Math.round(reading) * 1000)
  return `${weekdays[date.getUTCDay()]} ${date.toISOString().slice(0, 10)}`
}

const weekdays = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'] as const

function timeOf(reading: number): string {
  return new Date(Math.round(reading) * 1000).toISOString().slice(11, 19).replace(/:00$/u, '')
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const

function dateOf(reading: number): string {
  const date = new Date(reading * 1000)
  return `${date.getUTCDate()} ${months[date.getUTCMonth()]} ${date.getUTCFullYear()}`
}
