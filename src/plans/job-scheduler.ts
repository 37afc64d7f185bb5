/** What a TaskSchedule with the engine BullMQ asks of its job scheduler, and what such a scheduler cannot do although the schema admits it. */
import type { TaskSchedule, TaskTemplate } from '../api/index.ts'
import type { JobSchedulerSpec } from '../broker/index.ts'
import { type Slot, slotTime } from '../contract/index.ts'
import { compileDocument } from '../expressions/index.ts'
import { findSchedulerClocks, schedulerPattern, type Timing } from '../scheduling/index.ts'
import type { PushFaults } from './fault.ts'

/** What the schedule's job scheduler is to do; `owner` is the ledger of the schedule. */
export type JobSchedulerPlan = (owner: string) => JobSchedulerSpec

/** From here on clocks are looked at: lint, which has no object, says the same as the cluster. */
const reference: Slot = Date.UTC(2027, 0) / 1000

/** Returns undefined for another engine, and if there are faults. */
export function understandJobScheduler(
  { spec }: TaskSchedule,
  timing: Timing,
  faults: PushFaults<'InvalidSchedule' | 'InvalidExpression'>,
): JobSchedulerPlan | undefined {
  const { task } = spec
  if (spec.engine !== 'BullMQ' || task === undefined) return undefined
  const compiled = compileDocument(task.payload ?? {}, 'spec.task.payload', { variables: ['slot'] })
  // What is wrong with it is reported where it is understood for all engines.
  if (!compiled.ok) return undefined
  const payload = compiled.document
  if (payload.uses.length > 0) {
    const message =
      'uses slot, but a job scheduler has one payload for all slots. Set engine: Taskmill, or let the handler read the end of the id of its ' +
      'job, which is the slot in milliseconds since 1970'
    faults.push({ reason: 'InvalidExpression', field: 'spec.task.payload', message })
  }
  const times = timesOf(timing, spec.schedules?.[0] ?? '', faults)
  if (times === undefined || payload.uses.length > 0) return undefined
  const { endTime } = timing
  const data = payload.evaluate({ slot: slotTime(0) })
  return (owner) => ({
    timing: times,
    ...(endTime === undefined ? {} : { endMs: endTime * 1000 }),
    ...jobOf(task),
    data,
    owner,
  })
}

function timesOf(timing: Timing, written: string, faults: PushFaults<'InvalidSchedule'>): JobSchedulerSpec['timing'] | undefined {
  if ('everySeconds' in timing) return { everyMs: timing.everySeconds * 1000, offsetMs: (timing.offsetSeconds ?? 0) * 1000 }
  const [expression] = 'schedules' in timing ? timing.schedules : []
  if (expression === undefined || !('timeZone' in timing)) return undefined
  const field = 'spec.schedules[0]'
  const pattern = schedulerPattern(expression)
  if ('problem' in pattern) {
    const message = `${JSON.stringify(written)} ${pattern.problem}. Write other days, or set engine: Taskmill`
    faults.push({ reason: 'InvalidSchedule', field, message })
    return undefined
  }
  const clocks = findSchedulerClocks(expression, timing.timeZone, reference)
  if (clocks !== undefined) {
    const message = `${JSON.stringify(written)}: ${clocks.message}. Write another time, or timeZone: UTC, or set engine: Taskmill`
    faults.push({ reason: 'InvalidSchedule', field, message })
    return undefined
  }
  return { pattern: pattern.pattern, timeZone: timing.timeZone }
}

/** As of a job that Taskmill adds. */
function jobOf({ type, retry, priority }: TaskTemplate): Pick<JobSchedulerSpec, 'name' | 'attempts' | 'backoffMs' | 'bullPriority'> {
  return {
    name: type,
    attempts: retry.maxRetries + 1,
    ...(retry.maxRetries === 0 ? {} : { backoffMs: retry.initialDelaySeconds * 1000 }),
    ...(priority === undefined ? {} : { bullPriority: 101 - priority }),
  }
}
