/**
 * Which times something covers, as functions that answer for one time and say how far the answer reaches. So a search can jump to where the
 * answer changes, however far that is. Times are moments, readings of a clock, or days; one cover keeps to one of these.
 */
import type { Zone } from './time-zone.ts'

/**
 * From `start` to before `end` the answer is the same. It may be the same beyond: the bounds are never too wide, but can be too narrow.
 */
export type Stretch = { readonly holds: boolean; readonly start: number; readonly end: number }

export type Cover = (time: number) => Stretch

/** What a file covers: times on the clocks of whoever uses it, and moments. */
export type FileCover = { readonly readings: readonly Cover[]; readonly moments: readonly Cover[] }

/** From `start` to before `end`. */
export type Interval = { readonly start: number; readonly end: number }

export const always: Cover = () => ({ holds: true, start: -Infinity, end: Infinity })

export function not(cover: Cover): Cover {
  return (time) => {
    const { holds, start, end } = cover(time)
    return { holds: !holds, start, end }
  }
}

/** Covers what one of them covers; without any, nothing. */
export function anyOf(covers: readonly Cover[]): Cover {
  const [only] = covers
  return covers.length === 1 && only !== undefined ? only : (time) => combine(covers, time, true)
}

/** Covers what each of them covers; without any, everything. */
export function allOf(covers: readonly Cover[]): Cover {
  const [only] = covers
  return covers.length === 1 && only !== undefined ? only : (time) => combine(covers, time, false)
}

/**
 * One answer of `decisive` decides: then all that give it reach as far as the farthest of them. Otherwise the answer is good as long as each of
 * them gives the other one.
 */
function combine(covers: readonly Cover[], time: number, decisive: boolean): Stretch {
  let isDecided = false
  let [start, end] = [-Infinity, Infinity]
  for (const cover of covers) {
    const each = cover(time)
    const isDecisive = each.holds === decisive
    if (isDecided && !isDecisive) continue
    const isFirst = isDecisive && !isDecided
    isDecided ||= isDecisive
    start = isFirst ? each.start : isDecided ? Math.min(start, each.start) : Math.max(start, each.start)
    end = isFirst ? each.end : isDecided ? Math.max(end, each.end) : Math.min(end, each.end)
  }
  return { holds: isDecided ? decisive : !decisive, start, end }
}

/** Sorts intervals and joins those that touch, as `within` needs them. */
export function joined(intervals: readonly Interval[]): readonly Interval[] {
  const all: Interval[] = []
  for (const each of intervals.toSorted((a, b) => a.start - b.start)) {
    const last = all.at(-1)
    if (last !== undefined && each.start <= last.end) all[all.length - 1] = { start: last.start, end: Math.max(last.end, each.end) }
    else if (each.start < each.end) all.push(each)
  }
  return all
}

/** Covers these intervals, in the form that `joined` gives them. An answer costs the logarithm of their number. */
export function within(intervals: readonly Interval[]): Cover {
  return (time) => {
    let [low, high] = [0, intervals.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((intervals[middle]?.end ?? Infinity) <= time) low = middle + 1
      else high = middle
    }
    const next = intervals[low]
    if (next !== undefined && next.start <= time) return { holds: true, start: next.start, end: next.end }
    return { holds: false, start: intervals[low - 1]?.end ?? -Infinity, end: next?.start ?? Infinity }
  }
}

/** Of a cover of days, counted from 1970-01-01, one of readings, moved on by `shift` seconds. */
export function daysAsReadings(days: Cover, shift = 0): Cover {
  return (reading) => {
    const { holds, start, end } = days(Math.floor((reading - shift) / daySeconds))
    return { holds, start: start * daySeconds + shift, end: end * daySeconds + shift }
  }
}

/** Covers these seconds of each day, in the form that `joined` gives them. */
export function daily(times: readonly Interval[]): Cover {
  const cover = within(times)
  return (reading) => {
    const midnight = Math.floor(reading / daySeconds) * daySeconds
    const { holds, start, end } = cover(reading - midnight)
    return { holds, start: midnight + Math.max(start, 0), end: midnight + Math.min(end, daySeconds) }
  }
}

/** Of a cover of readings one of moments: what the clocks of the zone show at the moment counts, both times where they show it twice. */
export function inZone(readings: Cover, zone: Zone): Cover {
  return (moment) => {
    const period = zone.periodAt(moment)
    const { holds, start, end } = readings(moment + period.offset)
    return { holds, start: Math.max(start - period.offset, period.start), end: Math.min(end - period.offset, period.end) }
  }
}

export const daySeconds = 86_400

/** Returns the first covered time at or after `from`, and before `end`. */
export function nextCovered(cover: Cover, from: number, end: number): number | undefined {
  for (let time = from; time < end;) {
    const stretch = cover(time)
    if (stretch.holds) return time
    time = stretch.end
  }
  return undefined
}

/** Returns the last covered time before `before`, and after `floor`; times are whole numbers. */
export function previousCovered(cover: Cover, before: number, floor: number): number | undefined {
  for (let time = before - 1; time > floor;) {
    const stretch = cover(time)
    if (stretch.holds) return time
    time = stretch.start - 1
  }
  return undefined
}
