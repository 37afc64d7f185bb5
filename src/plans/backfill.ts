/**
 * A backfill is a run of a graph: a node for each slot of the range, in as many chains as slots may run at once. So it has
 * all that runs have: exactly one start per slot, progress, pausing, cancelling, and a log that survives the operator.
 */
import { maxBackfillRuns, type TaskExecution, type TaskSchedule } from '../api/index.ts'
import { type Slot, slotTime } from '../contract/index.ts'
import type { ExecutorName, PlanNode } from '../graph/index.ts'
import type { Timing } from '../scheduling/index.ts'
import type { CalendarFiles } from './calendars.ts'
import type { Fault } from './fault.ts'
import { slotsLeftOf } from './task-schedule.ts'

export type BackfillFaultReason = 'RangeInvalid'
export type BackfillRange = NonNullable<TaskExecution['spec']['range']>

/** The log of a run begins with its plan, which is read as a whole. */
const maxPlanBytes = 1_500_000
/** More are not counted one by one. */
const mostCounted = 10_000

/** The slots of a range in the order in which they run, and the timing that names them. */
export type SlotsInRange = { readonly slots: readonly Slot[]; readonly timing: Timing }

/** Returns the slots of a range, or what is wrong with it. `files`: the ConfigMaps that the calendars of the schedule name; they are read. */
export function slotsInRange(
  schedule: TaskSchedule,
  { from, to, order, maxRuns }: BackfillRange,
  createdAt: string | undefined,
  files: CalendarFiles,
): SlotsInRange | Fault<BackfillFaultReason> {
  const fault = (field: string, message: string) => ({ reason: 'RangeInvalid', field: `spec.range${field}`, message }) as const
  const [fromMs, toMs] = [Date.parse(from), Date.parse(to)]
  // Also a bound of the search.
  if (fromMs < 0) return fault('.from', `${from} is before 1970, when slots begin. Next: write a later time`)
  if (fromMs > toMs) return fault('.to', `${to} is before from (${from}). Next: exchange them`)
  if (createdAt !== undefined && toMs > Date.parse(createdAt)) {
    return fault(
      '.to',
      `${to} is after the creation of this TaskExecution (${createdAt}), and slots to come are those of the schedule. Next: write a time in the past`,
    )
  }
  const { name } = schedule.metadata
  const left = slotsLeftOf(schedule, files)
  if (left === undefined) return fault('', `the spec of tsch/${name} cannot be understood. Next: kubectl describe tsch ${name}`)
  if (left.kind === 'Unusable') return fault('', `the calendars of tsch/${name} cannot be used: ${left.field}: ${left.message}`)
  if (left.kind === 'Unread') throw new TypeError('the calendars of a backfill are not read')
  const { slots: source, timing } = left.plan
  const [after, until] = [Math.ceil(fromMs / 1000) - 1, Math.floor(toMs / 1000)]
  const slots = source.between(after, until, maxRuns)
  if (slots.length === maxRuns && source.between(after, (slots[0] ?? until) - 1, 1).length > 0) {
    const count = source.between(after, until, mostCounted + 1).length
    const words = count > mostCounted ? `more than ${mostCounted}` : `${count}`
    const next =
      count > maxBackfillRuns ? `; one TaskExecution runs at most ${maxBackfillRuns}` : `, or raise maxRuns (at most ${maxBackfillRuns})`
    return fault('', `it has ${words} slots, but at most ${maxRuns} (maxRuns) may run. Next: shorten the range${next}`)
  }
  if (slots.length === 0)
    return fault('', `tsch/${name} has no slot from ${from} to ${to}. Next: see taskmill next tsch/${name} --after ${from}`)
  return { slots: order === 'OldestFirst' ? slots : slots.toReversed(), timing }
}

/** Returns a node per slot; `parallelism` chains of them run side by side. `whatOf`: what the node of a slot runs. */
export function backfillNodes(
  slots: readonly Slot[],
  parallelism: number,
  whatOf: (slot: Slot) => Pick<PlanNode, ExecutorName>,
): readonly PlanNode[] | Fault<BackfillFaultReason> {
  const parts = slots.map(whatOf)
  // A template is the same for all of them.
  const sizes = new Map([...new Set(parts)].map((what) => [what, Buffer.byteLength(JSON.stringify(what))]))
  const bytes = parts.reduce((sum, what) => sum + (sizes.get(what) ?? 0), 0)
  if (bytes > maxPlanBytes) {
    const message = `${slots.length} runs of this template take ${bytes} bytes, but at most ${maxPlanBytes} are allowed. Next: shorten the range`
    return { reason: 'RangeInvalid', field: 'spec.range', message }
  }
  return slots.map((slot, index) => {
    const before = slots[index - parallelism]
    return {
      name: nodeName(slot),
      // A slot that fails does not stop those after it.
      dependsOn: before === undefined ? [] : [{ name: nodeName(before), condition: 'Completed' }],
      required: true,
      slot: slotTime(slot),
      ...parts[index],
    }
  })
}

/** `slot-20261129t010000z`. */
function nodeName(slot: Slot): string {
  return `slot-${slotTime(slot).replaceAll(/[-:]/gu, '').toLowerCase()}`
}
