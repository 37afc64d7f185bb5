/** What a schedule asks for now: pure, from what was gathered to a plan, or to what prevents one. */
import { findCondition, type TaskScheduleStatus } from '../../api/index.ts'
import type { Slot } from '../../contract/index.ts'
import { describeRefusal, placeRefusal } from '../../errors/index.ts'
import { type SlotStart, summarizeFaults } from '../../plans/index.ts'
import type { Ledger, SchedulePlan } from '../../scheduling/index.ts'
import type { Gathered, ScheduleSituation } from './gather.ts'

/**
 * `Plan`: slots are driven by it; with `heldBy` active runs are followed and no slot is decided. `Invalid`: the spec cannot be understood, and
 * nothing is done.
 */
export type Decision =
  | {
      readonly kind: 'Plan'
      readonly plan: Omit<SchedulePlan, 'epoch'>
      readonly start: SlotStart
      readonly heldBy: ScheduleSituation | undefined
    }
  | Extract<ScheduleSituation, { readonly kind: 'Invalid' }>

export function decide(gathered: Gathered): Decision {
  const { understood, suspension, status, shown, succeededByHandAtMs, group } = gathered
  if (!understood.ok) return { kind: 'Invalid', fault: summarizeFaults(understood.faults) }
  const { left } = gathered
  const heldBy = missingDependency(gathered) ?? (left?.kind === 'Unusable' ? left : undefined) ?? refusedTemplate(gathered)
  const statusSlot = lastKnownSlot(status, shown)
  const plan = {
    ...understood.plan,
    ...(left?.kind === 'Left' ? left.plan : {}),
    suspended: suspension.isSuspended,
    isHeld: heldBy !== undefined || left?.kind === 'Unread',
    ...(statusSlot === undefined ? {} : { statusSlot }),
    ...(status?.nextRuns === undefined ? {} : { statusNext: status.nextRuns.map((time) => Date.parse(time) / 1000) }),
    statusDispatched: Math.max(status?.dispatchedRuns ?? 0, shown?.dispatched ?? 0),
    ...(succeededByHandAtMs === undefined ? {} : { succeededByHandAtMs }),
    ...(group === undefined ? {} : { group: { name: group.group, limit: group.limit } }),
  }
  return { kind: 'Plan', plan, start: understood.start, heldBy }
}

function missingDependency({ understood, hasDependency }: Gathered): ScheduleSituation | undefined {
  const isMissing = understood.ok && understood.start.kind === 'Graph' && !hasDependency
  return isMissing ? { kind: 'NoDependency', name: understood.start.dependency } : undefined
}

function refusedTemplate({ trial, schedule, status }: Gathered): ScheduleSituation | undefined {
  if (trial?.kind === 'Unknown' && status !== undefined && status.observedGeneration === schedule.metadata.generation) {
    // A process that starts has no answer yet, or gets none for now: what was said of this very template stays.
    const stalled = findCondition(status.conditions, 'Stalled')
    return stalled?.reason === 'TemplateInvalid'
      ? { kind: 'Invalid', fault: { reason: stalled.reason, message: stalled.message } }
      : undefined
  }
  if (trial?.kind !== 'Invalid') return undefined
  const refusal = placeRefusal(trial.refusal, (field) => `spec.job.${field}`)
  return { kind: 'Invalid', fault: { reason: 'TemplateInvalid', message: describeRefusal(refusal) } }
}

/** The newest slot that was dispatched, by the status and by what this process saw: a ledger that knows less has lost it. */
function lastKnownSlot(status: TaskScheduleStatus | undefined, ledger: Ledger | undefined): Slot | undefined {
  const told = Date.parse(status?.lastScheduleTime ?? '') / 1000
  const newest = Math.max(Number.isNaN(told) ? 0 : told, ledger?.lastDispatched?.slot ?? 0)
  return newest === 0 ? undefined : newest
}
