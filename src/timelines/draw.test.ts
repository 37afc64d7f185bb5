import { describe, expect, it } from 'vitest'
import { parseTiming } from '../scheduling/index.ts'
import { axisOf } from './axis.ts'
import { drawTimelines } from './draw.ts'
import { type Assumptions, simulate } from './simulate.ts'
import { fitted, widthOf, wrapped } from './svg.ts'

const start = Date.parse('2026-12-01T12:00:00Z') / 1000
const edges = { left: 0, right: 750 }
const second = (text: string): number => Date.parse(text) / 1000

describe('the axis', () => {
  it('has the times that the clocks show, evenly in real time, and says what a change does', () => {
    const spring = axisOf({ from: second('2027-03-28T00:00:00Z'), until: second('2027-03-28T03:00:00Z') }, 'Europe/Berlin', edges)
    expect(spring.ticks.map(({ time }) => time)).toEqual(['01:00', '01:30', '03:00', '03:30', '04:00', '04:30', '05:00'])
    expect(spring.changes).toEqual([{ at: second('2027-03-28T01:00:00Z'), words: 'clocks go forward: 02:00 becomes 03:00' }])
    const autumn = axisOf({ from: second('2027-10-30T23:30:00Z'), until: second('2027-10-31T02:30:00Z') }, 'Europe/Berlin', edges)
    expect(autumn.ticks.map(({ time }) => time)).toEqual(['01:30', '02:00', '02:30', '02:00', '02:30', '03:00', '03:30'])
    expect(autumn.ticks.map(({ at }) => autumn.x(at))).toEqual([0, 125, 250, 375, 500, 625, 750])
    expect(autumn.changes.map(({ words }) => words)).toEqual(['clocks go back: 03:00 becomes 02:00'])
  })

  it('names each day once, and a long span by its days', () => {
    const night = axisOf({ from: second('2026-12-01T22:00:00Z'), until: second('2026-12-02T02:00:00Z') }, 'UTC', edges)
    expect(night.ticks.flatMap(({ date }) => date ?? [])).toEqual(['1 Dec 2026', '2 Dec 2026'])
    const month = axisOf({ from: start, until: start + 30 * 86_400 }, 'Asia/Kolkata', edges)
    expect(month.ticks.map(({ time }) => time)).toEqual(['3 Dec 2026', '10 Dec 2026', '17 Dec 2026', '24 Dec 2026', '31 Dec 2026'])
  })

  it.each(['UTC', 'Europe/Berlin', 'Australia/Lord_Howe', 'Asia/Kathmandu', 'America/St_Johns'])('has room for its labels, %s', (zone) => {
    for (const length of [1, 7, 59, 61, 600, 5000, 86_399, 86_401, 1e6, 1e7, 1e8, 3e9]) {
      const { ticks, x } = axisOf({ from: start + 17, until: start + 17 + length }, zone, edges)
      expect([ticks.length > 0 || length < 100, ticks.length <= 13]).toEqual([true, true])
      for (const [index, { at }] of ticks.entries()) if (index > 0) expect(x(at) - x(ticks[index - 1]?.at ?? 0)).toBeGreaterThan(10)
    }
  })
})

function drawn(label: string, change: Partial<Assumptions> = {}, title = 'title') {
  const timing = { everySeconds: 60 }
  const parsed = parseTiming(timing)
  if (!parsed.ok) throw new Error(parsed.message)
  const plan = {
    timing,
    slots: parsed.slots,
    seed: 'acme/nightly',
    concurrencyPolicy: 'Forbid',
    missedRuns: 'Latest',
    missedRunsLimit: 10,
    generation: 'a/.job',
  } as const
  const timeline = simulate(plan, { after: start, until: start + 300, runOf: () => ({ takesSeconds: 90 }), ...change })
  return drawTimelines({ title, timeZone: 'UTC', lanes: [{ label, explanation: 'in words', timeline }] })
}

/** Each element is closed, in order, and no text has characters that XML gives a meaning. */
function isWellFormed(svg: string): boolean {
  const open: string[] = []
  for (const [, isEnd, name = '', attributes = '', isEmpty] of svg.matchAll(/<(\/?)([a-z]+)((?: [a-zA-Z:-]+="[^"<]*")*)(\/?)>/gu)) {
    if (isEnd === '/') {
      if (open.pop() !== name) return false
    } else if (isEmpty !== '/') open.push(name)
    if (/&(?!amp;|lt;|gt;|quot;)/u.test(attributes)) return false
  }
  return open.length === 0 && !/<(?!\/?[a-z]+[ />])/u.test(svg)
}

describe('a picture', () => {
  it('shows each slot, its run or why it is missed, and says the same to screen readers', () => {
    const svg = drawn('Forbid')
    expect(isWellFormed(svg)).toBe(true)
    expect(svg.match(/class="slot" d="M[^"]*h8l-4 6z"/gu)).toHaveLength(6)
    expect(svg.match(/<rect class="succeeded"/gu)).toHaveLength(4)
    expect(svg.match(/<path class="missed"/gu)).toHaveLength(3)
    expect(svg).toContain('>Overlap</text>')
    expect(svg).toContain('<desc id="description">Forbid: 5 slots: 3 run, 2 missed (2 Overlap).</desc>')
  })

  it('is the same each time, and has what names say as text', () => {
    const odd = 'a<b>&"c"\u0000\ud800</text><script>'
    expect(drawn(odd, {}, odd)).toBe(drawn(odd, {}, odd))
    expect(isWellFormed(drawn(odd, {}, odd))).toBe(true)
    expect(drawn(odd, {}, odd)).not.toContain('<script')
  })

  it('has no label above another: two reasons that are close to each other take two lines', () => {
    // Without an operator two slots are missed for one reason, and the next one, while its run is active, for another.
    const svg = drawn('Forbid', { outage: { from: start + 30, until: start + 235 } })
    const labels = [...svg.matchAll(/<text x="([\d.]+)" y="([\d.]+)" class="missed-text small">([^<]*)</gu)].map(
      ([, x, y, words = '']) => ({
        left: Number(x),
        right: Number(x) + widthOf(words, 11),
        y: Number(y),
      }),
    )
    expect(labels.length).toBeGreaterThan(1)
    for (const a of labels) for (const b of labels) expect(a === b || a.y !== b.y || a.right <= b.left || b.right <= a.left).toBe(true)
  })

  it('has room behind the last run for why it failed, and for a long explanation below the label', () => {
    const svg = drawn('Forbid', { until: start + 60, runOf: () => ({ takesSeconds: 1, fails: true }) })
    const [, x = ''] = /<text x="([\d.]+)" [^>]*>Failed</u.exec(svg) ?? []
    expect(Number(x) + widthOf('Failed', 11)).toBeLessThanOrEqual(800 - 24)
    const words = 'a policy that takes many words '.repeat(8).trimEnd()
    const lines = wrapped(words, 12, 300, 700)
    expect(lines.join(' ')).toBe(words)
    expect(lines.map((line, index) => widthOf(line, 12) <= (index === 0 ? 300 : 700))).toEqual(lines.map(() => true))
  })

  it('of a label that is too long has the beginning', () => {
    expect(fitted('abc', 12, 100)).toBe('abc')
    expect(fitted('word '.repeat(50), 12, 100)).toMatch(/^word word .*…$/u)
    expect(widthOf(fitted('word '.repeat(50), 12, 100), 12)).toBeLessThanOrEqual(100)
  })
})
