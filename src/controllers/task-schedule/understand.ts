/** From what people wrote to what the state machine and the queue understand; or the field that they have to correct. */
import { createHash } from 'node:crypto'
import { maxPayloadBytes, type TaskSchedule } from '../../api/index.ts'
import type { PlacedJob } from '../../broker/index.ts'
import { type Slot, slotJobId, slotTime } from '../../contract/index.ts'
import { errorMessage } from '../../errors/index.ts'
import { parseTiming, type SchedulePlan, type Timing } from '../../scheduling/index.ts'
import { generationOf } from '../../services/index.ts'
import { compilePayload, type Payload } from './payload.ts'

/** All of a plan that follows from the object alone. */
export type StaticPlan = Omit<SchedulePlan, 'epoch' | 'statusSlot'>

export type Fault = {
  readonly reason: 'InvalidSchedule' | 'InvalidTimeZone' | 'InvalidExpression' | 'PayloadTooLarge'
  readonly message: string
}

export type Understood =
  | { readonly ok: true; readonly plan: StaticPlan; readonly jobOf: (ledger: string, doneQueue: string, slot: Slot) => PlacedJob }
  | { readonly ok: false; readonly fault: Fault }

/** A slot like any other, to try the expressions with before one is due. */
const trialSlot: Slot = Date.UTC(2026, 10, 29) / 1000

export function understand(schedule: TaskSchedule): Understood {
  const { spec, metadata } = schedule
  const { task } = spec
  const timing = timingOf(schedule)
  const parsed = parseTiming(timing)
  if (!parsed.ok) {
    const reason = parsed.field === 'timeZone' ? 'InvalidTimeZone' : 'InvalidSchedule'
    return { ok: false, fault: { reason, message: `spec.${parsed.field}: ${parsed.message}` } }
  }
  const compiled = compilePayload(task.payload ?? {}, 'spec.task.payload')
  if (!compiled.ok) return { ok: false, fault: { reason: 'InvalidExpression', message: `${compiled.field}: ${compiled.message}` } }
  const fault = trialFault(compiled.payload)
  if (fault !== undefined) return { ok: false, fault }

  const { concurrencyPolicy, missedRuns, missedRunsLimit, startingDeadlineSeconds, pendingDeadlineSeconds, runDeadlineSeconds } = spec
  return {
    ok: true,
    plan: {
      timing,
      slots: parsed.slots,
      suspended: spec.suspend,
      concurrencyPolicy,
      missedRuns,
      missedRunsLimit,
      ...(startingDeadlineSeconds === undefined ? {} : { startingDeadlineSeconds }),
      ...(pendingDeadlineSeconds === undefined ? {} : { pendingDeadlineSeconds }),
      ...(runDeadlineSeconds === undefined ? {} : { runDeadlineSeconds }),
      generation: generationOf(hashOf(task), task.queue),
      createdAtMs: Date.parse(metadata.creationTimestamp ?? '') || 0,
    },
    jobOf: (ledger, doneQueue, slot) => ({
      id: slotJobId(ledger, slot),
      doneQueue,
      ledger,
      slot,
      queue: task.queue,
      name: task.type,
      data: compiled.payload.evaluate(slotTime(slot)),
      dueAtMs: slot * 1000,
      attempts: task.retry.maxRetries + 1,
      ...(task.retry.maxRetries === 0 ? {} : { backoffMs: task.retry.initialDelaySeconds * 1000 }),
      ...(task.priority === undefined ? {} : { bullPriority: 101 - task.priority }),
    }),
  }
}

export function timingOf({ spec }: TaskSchedule): Timing {
  return spec.everySeconds === undefined
    ? { schedules: spec.schedules ?? [], timeZone: spec.timeZone }
    : { everySeconds: spec.everySeconds }
}

/** Expressions that compile and fail, and payloads that grow too large, are found now and not when a slot is due. */
function trialFault(payload: Payload): Fault | undefined {
  try {
    const bytes = Buffer.byteLength(JSON.stringify(payload.evaluate(slotTime(trialSlot))))
    if (bytes <= maxPayloadBytes) return undefined
    const message = `spec.task.payload: ${bytes} bytes as JSON, at most ${maxPayloadBytes} are possible. Next: store the data elsewhere and pass a reference`
    return { reason: 'PayloadTooLarge', message }
  } catch (error) {
    return { reason: 'InvalidExpression', message: `spec.task.payload: ${errorMessage(error)}` }
  }
}

/** The same for the same template, whatever the order in which its fields were written. */
function hashOf(task: TaskSchedule['spec']['task']): string {
  return createHash('sha256')
    .update(JSON.stringify(sorted(task)))
    .digest('hex')
    .slice(0, 16)
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const fields = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(fields.map(([name, own]) => [name, sorted(own)]))
}
