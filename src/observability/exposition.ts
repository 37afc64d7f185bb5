import { setImmediate as nextTurn } from 'node:timers/promises'
import { type Family, headOf, line, linesOf, type Sample, valueOf, withoutLabels } from './family.ts'
import type { Owner } from './owner.ts'

/** By kind and key. */
type Owners = ReadonlyMap<string, ReadonlyMap<string, Owner>>

/** Series that are rendered in one go; a thousand take about a millisecond. */
const seriesAtOnce = 1_000

/** The text of some metrics in pieces. Other work runs between two pieces, so that no turn of the event loop is long. */
export async function* expose(families: Iterable<Family>, owners: Owners, nowMs: number): AsyncGenerator<string> {
  let text = ''
  let rendered = 0
  const cut = async (): Promise<string> => {
    const piece = text
    text = ''
    rendered = 0
    await nextTurn()
    return piece
  }
  for (const family of families) {
    text += headOf(family)
    const shared = family.summedOver.length === 0 ? undefined : new Map<string, number>()
    const add = (id: string, sample: Sample): void => {
      if (shared === undefined) text += linesOf(family, id, sample, nowMs)
      else gather(shared, withoutLabels(id, family.summedOver), family, valueOf(family.metric, sample, nowMs))
      rendered += 1
    }
    for (const [id, sample] of family.samples) {
      add(id, sample)
      if (rendered >= seriesAtOnce) yield await cut()
    }
    for (const owner of ownersOf(family, owners)) {
      owner.forEachOf(family, add)
      if (rendered >= seriesAtOnce) yield await cut()
    }
    for (const [id, value] of shared ?? []) text += line(family.name, id, value)
  }
  yield text
}

/** The objects that may have series of their own in the family. */
function* ownersOf({ group, isShared }: Family, owners: Owners): Generator<Owner> {
  if (isShared) return
  for (const kind of group.owners ?? []) yield* owners.get(kind)?.values() ?? []
}

function gather(into: Map<string, number>, id: string, { metric }: Family, value: number): void {
  const before = into.get(id)
  into.set(id, before === undefined ? value : together[metric.together ?? 'sum'](before, value))
}

const together = { sum: (a: number, b: number) => a + b, min: Math.min, max: Math.max } as const
