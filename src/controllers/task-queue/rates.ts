/** How many jobs come and go, by BullMQ's own counter of adds and by what is in the queue. Pure. */
import type { QueueReading } from '../../broker/index.ts'

type Sample = { readonly atMs: number; readonly added: number; readonly depth: number }
/** The oldest first. */
export type Samples = readonly Sample[]

export type Rates = { readonly arrivalsPerMinute: number; readonly departuresPerMinute: number }

const windowMs = 60_000
const leastMs = 10_000
const gapMs = 1_000

/** Keeps what the rates of the last minute follow from. A counter that began again, or a clock that went back, begins anew. */
export function withSample(samples: Samples, reading: QueueReading): Samples {
  const { brokerTimeMs: atMs, added, waiting, prioritized, delayed, active, waitingChildren } = reading
  const sample: Sample = { atMs, added, depth: waiting + prioritized + delayed + active + waitingChildren }
  const last = samples.at(-1)
  if (last !== undefined && (added < last.added || atMs < last.atMs)) return [sample]
  if (last !== undefined && atMs - last.atMs < gapMs) return samples
  const all = [...samples, sample]
  // One from before the window says how it began.
  const first = all.findLastIndex((each) => each.atMs <= atMs - windowMs)
  return all.slice(Math.max(0, first))
}

/** Undefined until there are ten seconds to look at. Duplicates count as come and gone. */
export function ratesOf(samples: Samples): Rates | undefined {
  const [first, last] = [samples[0], samples.at(-1)]
  if (first === undefined || last === undefined || last.atMs - first.atMs < leastMs) return undefined
  const perMinute = (count: number) => Math.max(0, Math.round((count * windowMs) / (last.atMs - first.atMs)))
  const arrived = last.added - first.added
  return { arrivalsPerMinute: perMinute(arrived), departuresPerMinute: perMinute(arrived - (last.depth - first.depth)) }
}
