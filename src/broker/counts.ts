import type { Redis } from 'ioredis'
import { type CountIncrement, countsKey } from '../contract/index.ts'
import type { BrokerRuns, CountRequest } from './run-port.ts'
import { callScript, loadScript } from './script.ts'

const readScript = loadScript('read-counts')

const keysPerCall = 50
const minutesPerHour = 60

/** Where the ends are counted, for the scripts that record them: these know the hour. */
export function countKeys(
  keyPrefix: string,
  installation: string,
  namespace: string,
  counts: readonly CountIncrement[],
): readonly string[] {
  return counts.map(({ subjectKind, subject }) => countsKey(keyPrefix, { installation, namespace, subjectKind, subject }, ''))
}

export function countOutcomes(counts: readonly CountIncrement[]): readonly string[] {
  return counts.map(({ outcome, count }) => (count === undefined ? outcome : `${outcome} ${count}`))
}

/** What was counted of ends. Errors are those of the connection. */
export function createCounts(redis: Redis, keyPrefix: string): Pick<BrokerRuns, 'readCounts'> {
  return {
    async readCounts(installation, requests) {
      const hours = requests.flatMap((request, index) => hoursOf(request).map((hour) => ({ ...hour, request, index })))
      const parts = Array.from({ length: Math.max(1, Math.ceil(hours.length / keysPerCall)) }, (_, part) =>
        hours.slice(part * keysPerCall, (part + 1) * keysPerCall),
      )
      const replies = await callScript(
        redis,
        readScript,
        parts.map((part) => ({
          keys: part.map(({ request, hour }) => countsKey(keyPrefix, { installation, ...request }, hour)),
          args: part.flatMap(({ first, last }) => [first, last]),
        })),
      )
      const rows = replies as readonly (readonly number[])[]
      const sums = rows.flatMap((row) => row.slice(1))
      const counts = requests.map(() => ({ succeeded: 0, failed: 0, missed: 0 }))
      for (const [at, { index }] of hours.entries()) {
        const of = counts[index]
        if (of === undefined) continue
        of.succeeded += sums[3 * at] ?? 0
        of.failed += sums[3 * at + 1] ?? 0
        of.missed += sums[3 * at + 2] ?? 0
      }
      return { counts, brokerTimeMs: rows.at(-1)?.[0] ?? 0 }
    },
  }
}

/** The hours that a stretch of minutes touches, and which minutes of each. */
function hoursOf({
  fromMinute,
  toMinute,
}: CountRequest): readonly { readonly hour: number; readonly first: number; readonly last: number }[] {
  const from = Math.floor(fromMinute / minutesPerHour)
  const to = Math.floor(toMinute / minutesPerHour)
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => {
    const start = (from + index) * minutesPerHour
    return {
      hour: from + index,
      first: Math.max(0, fromMinute - start),
      last: Math.min(minutesPerHour - 1, toMinute - start),
    }
  })
}
