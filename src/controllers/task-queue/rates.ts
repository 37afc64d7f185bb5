/** Arrivals and departures of jobs, by BullMQ's own counter of added jobs and by the depth of the queue. Pure. */
import type { QueueReading } from '../../broker/index.ts'

type Sample = { readonly atMs: number; readonly added: number; readonly depth: number }
/** The oldest first. */
export type Samples = readonly Sample[]

export type Rates = { readonly arrivalsPerMinute: number; readonly departuresPerMinute: number }

const windowMs = 60_000
const leastMs = 10_000
const gapMs = 1_000

/** Keeps the samples of the last minute. If the counter or the clock went back, the samples begin anew. */
export function withSample(samples: Samples, reading: QueueReading): Samples {
  const { brokerTimeMs: atMs, added, waiting, prioritized, delayed, active, waitingChildren } = reading
  const sample: Sample = { atMs, added, depth: waiting + prioritized + delayed + active + waitingChildren }
  const last = samples.at(-1)
  if (last !== undefined && (added < last.added || atMs < last.atMs)) return [sample]
  if (last !== undefined && atMs - last.atMs < gapMs) return samples
  const all = [...samples, sample]
  // One sample from before the window is its beginning.
  const first = all.findLastIndex((each) => each.atMs <= atMs - windowMs)
  return all.slice(Math.max(0, first))
}

/** Undefined until the samples span ten seconds. A duplicate counts as an arrival and a departure. */
export function ratesOf(samples: Samples): Rates | undefined {
  const [first, last] = [samples[0], samples.at(-1)]
  if (first === undefined || last === undefined || last.atMs - first.atMs < leastMs) return undefined
  const perMinute = (count: number) => Math.max(0, Math.round((count * windowMs) / (last.atMs - first.atMs)))
  const arrived = last.added - first.added
  return { arrivalsPerMinute: perMinute(arrived), departuresPerMinute: perMinute(arrived - (last.depth - first.depth)) }
}
