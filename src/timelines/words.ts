/** What became of a slot, as a line of a table. */
import { localDay, localTime } from './axis.ts'
import type { SlotStory, Timeline } from './simulate.ts'

/** `runs until 02:20`, `missed (Overlap)`, `starts at 02:20, 5m late`. Times are those of the clocks of the zone, with the day if it is another one. */
export function describeStory({ slot, dueAt = slot, missed, startedAt, endedAt, outcome }: SlotStory, timeZone: string): string {
  const day = localDay(slot, timeZone)
  const time = (moment: number): string => {
    const then = localDay(moment, timeZone)
    return then === day ? localTime(moment, timeZone) : `${then} ${localTime(moment, timeZone)}`
  }
  if (missed !== undefined) return `missed (${missed})`
  if (startedAt === undefined || endedAt === undefined) {
    return outcome === undefined ? 'waits, and nothing starts it' : `does not start: ${outcome.reason} at ${time(outcome.at)}`
  }
  const late = startedAt - dueAt
  const start = late < 1 ? 'runs' : `waits ${formatSeconds(late)}, runs`
  if (outcome === undefined) return `${start} until ${time(endedAt)}`
  switch (outcome.reason) {
    case 'Succeeded':
      return `${start} until ${time(endedAt)}`
    case 'Replaced':
      return `${start} until ${time(outcome.at)}, then it is replaced${continues(endedAt, outcome.at, time)}`
    default:
      return `${start} until ${time(outcome.at)}, then it counts as failed (${outcome.reason})${continues(endedAt, outcome.at, time)}`
  }
}

function continues(endedAt: number, recordedAt: number, time: (moment: number) => string): string {
  return endedAt - recordedAt < 1 ? '' : `; what runs continues until ${time(endedAt)}`
}

/** `6 slots: 4 run, 2 missed (2 Overlap)`. */
export function summarizeTimeline({ slots }: Timeline): string {
  const missed = Map.groupBy(
    slots.flatMap((story) => story.missed ?? []),
    (reason) => reason,
  )
  const run = slots.filter(({ startedAt }) => startedAt !== undefined).length
  const reasons = [...missed].map(([reason, those]) => `${those.length} ${reason}`)
  const count = slots.filter((story) => story.missed !== undefined).length
  return `${slots.length} ${slots.length === 1 ? 'slot' : 'slots'}: ${run} run, ${count} missed${count === 0 ? '' : ` (${reasons.join(', ')})`}`
}

/** `1h5m`, `90s` is `1m30s`. */
export function formatSeconds(seconds: number): string {
  let rest = Math.round(seconds)
  const parts = (
    [
      ['d', 86_400],
      ['h', 3600],
      ['m', 60],
      ['s', 1],
    ] as const
  ).flatMap(([unit, size]) => {
    const count = Math.floor(rest / size)
    rest -= count * size
    return count === 0 ? [] : [`${count}${unit}`]
  })
  return parts.length === 0 ? '0s' : parts.slice(0, 2).join('')
}
