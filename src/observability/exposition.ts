import { setImmediate as nextTurn } from 'node:timers/promises'
import { type Family, headOf, line, linesOf, valueOf, withoutLabels } from './family.ts'

/** Series that are rendered in one go; a thousand take about a millisecond. */
const seriesAtOnce = 1_000

/** The text of some metrics in pieces. Other work runs between two pieces, so that no turn of the event loop is long. */
export async function* expose(families: Iterable<Family>, nowMs: number): AsyncGenerator<string> {
  let text = ''
  let rendered = 0
  for (const family of families) {
    text += headOf(family)
    const shared = family.summedOver.length === 0 ? undefined : new Map<string, number>()
    for (const [id, sample] of family.samples) {
      if (shared === undefined) text += linesOf(family, id, sample, nowMs)
      else gather(shared, withoutLabels(id, family.summedOver), family, valueOf(family.metric, sample, nowMs))
      rendered += 1
      if (rendered % seriesAtOnce !== 0) continue
      if (text !== '') yield text
      text = ''
      await nextTurn()
    }
    for (const [id, value] of shared ?? []) text += line(family.name, id, value)
  }
  yield text
}

function gather(into: Map<string, number>, id: string, { metric }: Family, value: number): void {
  const before = into.get(id)
  into.set(id, before === undefined ? value : together[metric.together ?? 'sum'](before, value))
}

const together = { sum: (a: number, b: number) => a + b, min: Math.min, max: Math.max } as const
