/**
 * A backfill is a run of a graph: a node for each slot of the range, in as many chains as slots may run at once. So it has
 * all that runs have: exactly one start per slot, progress, pausing, cancelling, and a log that survives the operator.
 */
import { maxBackfillRuns, type TaskExecution, type TaskSchedule } from '../api/index.ts'
import { type Slot, slotTime } from '../contract/index.ts'
import type { PlanNode } from '../graph/index.ts'
import type { Fault } from './fault.ts'
import { slotsLeftOf } from './task-schedule.ts'

export type BackfillFaultReason = 'RangeInvalid'
export type BackfillRange = NonNullable<TaskExecution['spec']['range']>

/** The log of a run begins with its plan, which is read as a whole. */
const maxPlanBytes = 1_500_000
/** More are not counted one by one. */
const mostCounted = 10_000

/** Returns the slots of a range in the order in which they run, or what is wrong with it. */
export function slotsInRange(
  schedule: TaskSchedule,
  { from, to, order, maxRuns }: BackfillRange,
  createdAt: string | undefined,
): readonly Slot[] | Fault<BackfillFaultReason> {
  const fault = (field: string, message: string) => ({ reason: 'RangeInvalid', field: `spec.range${field}`, message }) as const
  const [fromMs, toMs] = [Date.parse(from), Date.parse(to)]
  if (fromMs > toMs) return fault('.to', `${to} is before from (${from}). Next: exchange them`)
  if (createdAt !== undefined && toMs > Date.parse(createdAt)) {
    return fault(
      '.to',
      `${to} is after the creation of this TaskExecution (${createdAt}), and slots to come are those of the schedule. Next: write a time in the past`,
    )
  }
  const { name } = schedule.metadata
  const left = slotsLeftOf(schedule, new Map())
  if (left === undefined) return fault('', `the spec of tsch/${name} cannot be understood. Next: kubectl describe tsch ${name}`)
  if (left.kind !== 'Left') {
    const message = `the calendars of tsch/${name} name ConfigMaps, which a backfill does not read`
    return fault(
      '',
      `${message}. Next: create a TaskExecution with slotTime for each slot (taskmill next tsch/${name} --after ${from} lists them)`,
    )
  }
  const { slots: source } = left.plan
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
  return order === 'OldestFirst' ? slots : slots.toReversed()
}

/** Returns a node per slot; `parallelism` chains of them run side by side. */
export function backfillNodes(
  slots: readonly Slot[],
  parallelism: number,
  what: Pick<PlanNode, 'task' | 'job'>,
): readonly PlanNode[] | Fault<BackfillFaultReason> {
  const bytes = slots.length * Buffer.byteLength(JSON.stringify(what))
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
      ...what,
    }
  })
}

/** `slot-20261129t010000z`. */
function nodeName(slot: Slot): string {
  return `slot-${slotTime(slot).replaceAll(/[-:]/gu, '').toLowerCase()}`
}
