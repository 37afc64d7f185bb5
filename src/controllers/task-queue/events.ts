import { findCondition, queueEvent, type TaskQueueStatus, type WantedEvent } from '../../api/index.ts'
import type { QueueChange } from '../../broker/index.ts'

/** Reasons of Ready that become an Event when they come. */
const reportedReasons = ['BrokerNotFound', 'BrokerNotUsable', 'BrokerUnreachable', 'PolicyConflict', 'SettingsUnreadable'] as const

/** Events for the changes between two statuses. */
export function transitionEvents(before: TaskQueueStatus | undefined, after: TaskQueueStatus): readonly WantedEvent[] {
  return [...readyEvents(before, after), ...driftEvents(before, after), ...overrideEvents(before, after)]
}

/** The Event for what was done to the queue. */
export function changeEvent(change: QueueChange): WantedEvent {
  if (change.kind === 'Limited') {
    const note = `global concurrency ${limit(change.from)} -> ${limit(change.to)}`
    return change.isRepair
      ? queueEvent('DriftRepaired', `${note}: someone had changed it by other means`)
      : queueEvent('ConcurrencyChanged', note)
  }
  if (change.isRepair) return queueEvent('DriftRepaired', 'paused again: someone had resumed it by other means')
  return change.kind === 'Paused'
    ? queueEvent('QueueSuspended', 'paused: running jobs end, no other job starts')
    : queueEvent('QueueResumed', 'the pause was removed')
}

function limit(value: number | undefined): string {
  return value === undefined ? 'none' : String(value)
}

function readyEvents(before: TaskQueueStatus | undefined, after: TaskQueueStatus): readonly WantedEvent[] {
  const was = findCondition(before?.conditions, 'Ready')?.reason
  const ready = findCondition(after.conditions, 'Ready')
  const reason = ready?.reason === was ? undefined : reportedReasons.find((each) => each === ready?.reason)
  return reason === undefined || ready === undefined ? [] : [queueEvent(reason, ready.message)]
}

function driftEvents(before: TaskQueueStatus | undefined, after: TaskQueueStatus): readonly WantedEvent[] {
  const now = findCondition(after.conditions, 'Drifted')
  if (now?.status !== 'True' || findCondition(before?.conditions, 'Drifted')?.status === 'True') return []
  return [queueEvent('PausedByOthers', now.message)]
}

function overrideEvents(before: TaskQueueStatus | undefined, after: TaskQueueStatus): readonly WantedEvent[] {
  const was = findCondition(before?.conditions, 'Overridden')
  const now = findCondition(after.conditions, 'Overridden')
  if (was?.message === now?.message) return []
  return [now === undefined ? queueEvent('OverrideEnded', `over: ${was?.message ?? ''}`) : queueEvent('OverrideStarted', now.message)]
}
