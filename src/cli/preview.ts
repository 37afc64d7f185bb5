/** What `taskmill next --takes`, `--outage` and `-o svg` tell: the slots of a schedule, carried out in advance. */
import type { TaskSchedule } from '../api/index.ts'
import { UsageError } from '../errors/index.ts'
import type { Slot } from '../contract/index.ts'
import { type CalendarFiles, type NextSlots, slotsLeftOf, type slotTable, summarizeFaults, understandSchedule } from '../plans/index.ts'
import { describeStory, drawTimelines, type Interval, simulate, type Timeline } from '../timelines/index.ts'
import { CommandError, formatDuration, parseTime } from './arguments.ts'

/** What is assumed of the runs, and of the operator. */
export type Assumed = { readonly takesMs: number; readonly outage: Interval | undefined }

const defaultTakesMs = 60_000

/** Returns what is assumed; undefined: nothing, because only the slots are asked for. Throws a usage error. */
export function assumptionsOf(asked: {
  readonly takesMs: number | undefined
  readonly outage: string | undefined
  readonly isPicture: boolean
}): Assumed | undefined {
  const { takesMs, outage, isPicture } = asked
  if (takesMs === undefined && outage === undefined && !isPicture) return undefined
  return { takesMs: takesMs ?? defaultTakesMs, outage: outage === undefined ? undefined : intervalOf(outage) }
}

function intervalOf(text: string): Interval {
  const [from, until, ...more] = text.split('/').map(parseTime)
  if (from === undefined || until === undefined || more.length > 0 || from >= until)
    throw new UsageError(`--outage ${text}: write two times, the earlier one first, such as 2026-11-29T01:00:00Z/2026-11-29T04:00:00Z`)
  return { from: Math.floor(from / 1000), until: Math.ceil(until / 1000) }
}

/** Carries out the slots of `found` in advance; undefined: there is none. Throws if the spec has faults. */
export function previewOf(
  schedule: TaskSchedule,
  about: { readonly files: CalendarFiles; readonly found: NextSlots; readonly after: Slot; readonly assumed: Assumed },
): Timeline | undefined {
  const { files, found, after, assumed } = about
  const slots = found.slots.flatMap(({ slot }) => slot ?? [])
  const [first, until] = [slots[0], slots.at(-1)]
  if (first === undefined || until === undefined) return undefined
  const understood = understandSchedule(schedule)
  if (!understood.ok) {
    const { reason, message } = summarizeFaults(understood.faults)
    throw new CommandError(`${reason}: ${message}`)
  }
  const left = slotsLeftOf(schedule, files)
  if (left?.kind !== 'Left') throw new TypeError('slots without a plan')
  const { maxRuns, ...timing } = left.plan.timing
  const runsLeft = maxRuns === undefined ? {} : { maxRuns: Math.max(0, maxRuns - (schedule.status?.dispatchedRuns ?? 0)) }
  const plan = { ...understood.plan, ...left.plan, timing: { ...timing, ...runsLeft } }
  // With jitterSeconds the first slot may be before, and its run still to come.
  return simulate(plan, {
    after: Math.min(after, first - 1),
    until,
    outage: assumed.outage,
    runOf: () => ({ takesSeconds: assumed.takesMs / 1000 }),
  })
}

export function previewColumn({ slots }: Timeline, assumed: Assumed, timeZone: string): Parameters<typeof slotTable>[1] {
  const stories = new Map(slots.map((story) => [story.slot, describeStory(story, timeZone)]))
  return {
    header: `IF EACH RUN TAKES ${formatDuration(assumed.takesMs)}`,
    cellOf: (slot) => stories.get(slot) ?? 'not due: maxRuns is reached',
  }
}

export function drawPreview(about: {
  readonly name: string
  readonly schedule: TaskSchedule
  readonly found: NextSlots
  readonly timeline: Timeline
  readonly assumed: Assumed
}): string {
  const { name, schedule, found, timeline, assumed } = about
  const { spec } = schedule
  return drawTimelines({
    title: `${name}: ${found.timing}`,
    subtitle: `if each run takes ${formatDuration(assumed.takesMs)}`,
    timeZone: spec.timeZone,
    lanes: [{ label: `concurrencyPolicy: ${spec.concurrencyPolicy}`, explanation: policiesOf(spec).join(', '), timeline }],
  })
}

const policies = [
  'queueLimit',
  'dependsOnPast',
  'missedRuns',
  'startingDeadlineSeconds',
  'pendingDeadlineSeconds',
  'runDeadlineSeconds',
  'onDeadline',
] as const satisfies readonly (keyof TaskSchedule['spec'])[]

function policiesOf(spec: TaskSchedule['spec']): readonly string[] {
  return policies.flatMap((field) => (spec[field] === undefined ? [] : [`${field}: ${String(spec[field])}`]))
}
