/** Draws timelines as a picture: one lane for each, all on the same axis. */
import { axisOf, type Axis, localTime } from './axis.ts'
import type { Interval, SlotStory, Timeline } from './simulate.ts'
import { element, fitted, picture, type PictureClass, text, texts, widthOf, wrapped } from './svg.ts'
import { summarizeTimeline } from './words.ts'

export type Lane = {
  readonly label: string
  /** Behind the label, for people who see the label for the first time. */
  readonly explanation?: string
  readonly timeline: Timeline
}

export type Drawing = {
  readonly title: string
  readonly subtitle?: string
  /** Of the labels of the axis. */
  readonly timeZone: string
  readonly lanes: readonly Lane[]
}

const width = 800
const margin = 24
const barHeight = 17
const rowHeight = 21
const small = 11

/** Returns the SVG: the same bytes for the same drawing. */
export function drawTimelines({ title, subtitle, timeZone, lanes }: Drawing): string {
  const span = spanOf(lanes.map(({ timeline }) => timeline))
  const axis = axisWithRoom(span, timeZone, lanes)
  const used = new Set<PictureClass>()
  const body: string[] = [text(margin, 30, fitted(title, 14, width - 2 * margin), { class: 'strong', style: 'font-size:14px' })]
  if (subtitle !== undefined) body.push(text(margin, 48, fitted(subtitle, 12, width - 2 * margin), { class: 'muted' }))
  const axisTop = subtitle === undefined ? 60 : 78
  const lanesTop = axisTop + (axis.changes.length > 0 ? 36 : 22)
  let y = lanesTop
  const drawn: string[] = []
  for (const lane of lanes) {
    const { parts, height } = drawLane(lane, axis, y, timeZone, used)
    drawn.push(...parts)
    y += height
  }
  const bottom = y
  const outages = lanes.flatMap(({ timeline }) => timeline.outage ?? [])
  body.push(...backgroundOf(axis, { axisTop, bottom, timeZone }))
  body.push(...outagesOf(outages, axis, lanesTop - 8, bottom))
  if (outages.length > 0) used.add('outage')
  body.push(...drawn, ...legendOf(used, bottom + 24))
  return picture({
    width,
    height: bottom + 40,
    title,
    description: lanes.map(({ label, timeline }) => `${label}: ${summarizeTimeline(timeline)}.`).join(' '),
    body,
  })
}

/** With some room behind the last thing that happens. */
function spanOf(timelines: readonly Timeline[]): Interval {
  const from = Math.min(...timelines.map(({ span }) => span.from))
  const ends = timelines.flatMap(({ slots, span }) => [span.until, ...slots.map(({ slot, endedAt = slot }) => endedAt)])
  const until = Math.max(...ends)
  return { from, until: until + Math.max(1, (until - from) * 0.04) }
}

/** The axis ends early enough for what is written behind the last runs. */
function axisWithRoom(span: Interval, timeZone: string, lanes: readonly Lane[]): Axis {
  const whole = width - 2 * margin
  const lengths = lanes.flatMap(({ timeline }) =>
    timeline.slots.map((story) => {
      const share = (lastOf(story, timeline) - span.from) / (span.until - span.from)
      return share <= 0 ? whole : (whole - widthOf(failureOf(story), small) - 6) / share
    }),
  )
  return axisOf(span, timeZone, { left: margin, right: margin + Math.max(whole / 3, Math.min(whole, ...lengths)) })
}

function backgroundOf(
  { x, ticks, changes }: Axis,
  { axisTop, bottom, timeZone }: { readonly axisTop: number; readonly bottom: number; readonly timeZone: string },
): readonly string[] {
  const labelled = (at: number, words: string, y: number, attributes: Readonly<Record<string, string>>): string => {
    const half = widthOf(words, small) / 2
    return text(Math.min(Math.max(x(at), margin / 2 + half), width - margin / 2 - half), y, words, {
      'text-anchor': 'middle',
      ...attributes,
    })
  }
  const [first] = ticks
  const zone = timeZone === 'UTC' ? ' UTC' : ''
  return [
    ...ticks.flatMap(({ at, time, date }) => [
      element('line', { class: 'grid', x1: x(at), x2: x(at), y1: axisTop + 8, y2: bottom }),
      labelled(at, at === first?.at ? `${time}${zone}` : time, axisTop + 4, { class: 'muted small' }),
      ...(date === undefined ? [] : [labelled(at, date, axisTop - 10, { class: 'muted small' })]),
    ]),
    ...changes.flatMap(({ at, words }) => [
      element('line', { class: 'change', x1: x(at), x2: x(at), y1: axisTop + 24, y2: bottom }),
      labelled(at, words, axisTop + 20, { class: 'change-text small' }),
    ]),
  ]
}

function outagesOf(outages: readonly Interval[], { x }: Axis, top: number, bottom: number): readonly string[] {
  const all = new Map(outages.map((each) => [`${each.from}/${each.until}`, each]))
  return [...all.values()].map(({ from, until }) =>
    element('rect', { class: 'outage', x: x(from), y: top, width: x(until) - x(from), height: bottom - top }),
  )
}

type Parts = { readonly parts: readonly string[]; readonly height: number }

function drawLane({ label, explanation = '', timeline }: Lane, axis: Axis, top: number, timeZone: string, used: Set<PictureClass>): Parts {
  const { x } = axis
  const room = width - 2 * margin - 1.15 * widthOf(label, 12) - 10
  const [beside = '', ...below] = wrapped(explanation, 12, room, width - 2 * margin)
  const parts = [
    texts(margin, top + 14, [['strong', label], ...(beside === '' ? [] : [['muted', beside] as const])]),
    ...below.map((line, index) => text(margin, top + 30 + index * 16, line, { class: 'muted' })),
  ]
  const slotsY = top + 24 + below.length * 16
  for (const { slot } of timeline.slots) {
    used.add('slot')
    parts.push(element('path', { class: 'slot', d: `M${shown(x(slot) - 4)} ${slotsY}h8l-4 6z` }))
  }
  const runs = drawRuns(timeline, axis, slotsY + 10, timeZone, used)
  const missed = drawMissed(timeline, axis, slotsY + 10 + runs.height, used)
  parts.push(...runs.parts, ...missed.parts)
  return { parts, height: slotsY - top + 10 + runs.height + missed.height + 12 }
}

/** Each run in the first row that is free from its slot to its end; one by hand in the first row of all. */
function drawRuns(timeline: Timeline, { x }: Axis, top: number, timeZone: string, used: Set<PictureClass>): Parts {
  const { slots, span, byHand } = timeline
  const ends: number[] = []
  const parts: string[] = []
  if (byHand !== undefined) {
    used.add('hand')
    const [left, wide] = [x(byHand.from), x(byHand.until) - x(byHand.from)]
    ends.push(left + wide)
    parts.push(element('rect', { class: 'hand', x: left, y: top, width: wide, height: barHeight, rx: 3 }))
  }
  for (const story of slots) {
    if (story.missed !== undefined) continue
    const { slot, startedAt, outcome } = story
    const words = failureOf(story)
    const last = lastOf(story, timeline)
    const right = Math.max(x(last), x(slot) + 3) + (words === '' ? 0 : widthOf(words, small) + 10)
    let row = ends.findIndex((end) => end <= x(slot) + 0.5)
    if (row < 0) row = ends.length
    ends[row] = right
    const y = top + row * rowHeight
    const begun = startedAt ?? outcome?.at ?? span.until
    if (begun - slot >= 1) {
      used.add('wait')
      parts.push(element('line', { class: 'wait', x1: x(slot), x2: x(begun), y1: y + barHeight / 2, y2: y + barHeight / 2 }))
    }
    for (const { from, until, kind } of barsOf(story)) {
      used.add(kind)
      const [left, wide] = [x(from), Math.max(2, x(until) - x(from))]
      parts.push(element('rect', { class: kind, x: left, y, width: wide, height: barHeight, rx: 3 }))
      const time = localTime(slot, timeZone)
      if (from !== startedAt || wide < widthOf(time, small) + 6) continue
      used.add('plain')
      parts.push(text(left + 4, y + 12.5, time, { class: 'plain small' }))
    }
    if (words !== '') parts.push(text(x(last) + 5, y + 12.5, words, { class: 'missed-text small' }))
  }
  return { parts, height: ends.length * rowHeight }
}

/** The last moment of a run, whatever is recorded of it. */
function lastOf({ slot, endedAt, outcome }: SlotStory, { span }: Timeline): number {
  return Math.max(slot, endedAt ?? outcome?.at ?? span.until, outcome?.at ?? slot)
}

/** What to write behind a run. */
function failureOf({ outcome }: SlotStory): string {
  return outcome === undefined || outcome.reason === 'Succeeded' || outcome.reason === 'Replaced' ? '' : outcome.reason
}

type Bar = Interval & { readonly kind: PictureClass }

function barsOf({ startedAt, endedAt, outcome }: SlotStory): readonly Bar[] {
  if (startedAt === undefined || endedAt === undefined) return []
  if (outcome === undefined) return [{ from: startedAt, until: endedAt, kind: 'beyond' }]
  const kind = outcome.reason === 'Succeeded' ? 'succeeded' : outcome.reason === 'Replaced' ? 'replaced' : 'failed'
  // An end that is heard of late, after an outage, is still the end.
  if (kind === 'succeeded' || outcome.at >= endedAt) return [{ from: startedAt, until: endedAt, kind }]
  return [
    { from: startedAt, until: outcome.at, kind },
    { from: outcome.at, until: endedAt, kind: 'beyond' },
  ]
}

/** Crosses, and below them the reason of each group of them that follow each other. */
function drawMissed({ slots }: Timeline, { x }: Axis, top: number, used: Set<PictureClass>): Parts {
  const missed = slots.filter((story) => story.missed !== undefined)
  if (missed.length === 0) return { parts: [], height: 0 }
  used.add('missed')
  const parts = missed.map(({ slot }) => element('path', { class: 'missed', d: `M${shown(x(slot) - 4)} ${top + 3}l8 8m0 -8l-8 8` }))
  const ends: number[] = []
  for (const [index, { slot, missed: reason = '' }] of slots.entries()) {
    if (reason === '' || slots[index - 1]?.missed === reason) continue
    const wide = widthOf(reason, small)
    const left = Math.min(x(slot) - 4, width - margin / 2 - wide)
    let line = ends.findIndex((end) => end + 8 <= left)
    if (line < 0) line = ends.length
    ends[line] = left + wide
    parts.push(text(left, top + 24 + line * 14, reason, { class: 'missed-text small' }))
  }
  return { parts, height: 16 + ends.length * 14 }
}

const meanings: readonly (readonly [PictureClass, string])[] = [
  ['slot', 'slot'],
  ['succeeded', 'run'],
  ['failed', 'failed'],
  ['replaced', 'replaced'],
  ['beyond', 'continues, without counting'],
  ['hand', 'run by hand'],
  ['wait', 'waits'],
  ['missed', 'missed'],
  ['outage', 'no operator runs'],
]

function legendOf(used: ReadonlySet<PictureClass>, y: number): readonly string[] {
  let left = margin
  return meanings.flatMap(([kind, meaning]) => {
    if (!used.has(kind)) return []
    const words = kind === 'succeeded' && used.has('plain') ? `${meaning}, with the time of its slot` : meaning
    const at = left
    left += 26 + widthOf(words, small) + 14
    return [symbolOf(kind, at, y), text(at + 22, y, words, { class: 'muted small' })]
  })
}

function symbolOf(kind: PictureClass, x: number, y: number): string {
  switch (kind) {
    case 'slot':
      return element('path', { class: kind, d: `M${shown(x + 4)} ${y - 7}h8l-4 6z` })
    case 'wait':
      return element('line', { class: kind, x1: x, x2: x + 16, y1: y - 4, y2: y - 4 })
    case 'missed':
      return element('path', { class: kind, d: `M${shown(x + 4)} ${y - 8}l8 8m0 -8l-8 8` })
    default:
      return element('rect', { class: kind, x, y: y - 9, width: 16, height: 10, rx: 2 })
  }
}

function shown(value: number): number {
  return Math.round(value * 10) / 10
}
