import { findCondition, poolEvent, type WantedEvent, type WorkerPoolStatus } from '../../api/index.ts'

/** Reasons of Ready that are worth an Event when they come. */
const tellable = [
  'BrokerNotFound',
  'BrokerNotReady',
  'BrokerUnreachable',
  'DeploymentNotOwned',
  'TargetNotFound',
  'TemplateInvalid',
] as const

/** Events for what changed between two statuses; nothing while the same facts hold. */
export function transitionEvents(before: WorkerPoolStatus | undefined, after: WorkerPoolStatus): readonly WantedEvent[] {
  return [...readyEvents(before, after), ...overrideEvents(before, after)]
}

function overrideEvents(before: WorkerPoolStatus | undefined, after: WorkerPoolStatus): readonly WantedEvent[] {
  const was = findCondition(before?.conditions, 'Overridden')
  const now = findCondition(after.conditions, 'Overridden')
  if (was?.message === now?.message) return []
  return [now === undefined ? poolEvent('OverrideEnded', `over: ${was?.message ?? ''}`) : poolEvent('OverrideStarted', now.message)]
}

function readyEvents(before: WorkerPoolStatus | undefined, after: WorkerPoolStatus): readonly WantedEvent[] {
  const was = findCondition(before?.conditions, 'Ready')?.reason
  const ready = findCondition(after.conditions, 'Ready')
  if (ready === undefined || ready.reason === was) return []
  const reason = tellable.find((each) => each === ready.reason)
  if (reason !== undefined) return [poolEvent(reason, ready.message)]
  return was === 'BrokerUnreachable' || was === 'BrokerNotReady'
    ? [poolEvent('BrokerReachable', 'the queues can be read again; scaling continues')]
    : []
}

/** `2 -> 7: 312 jobs …`, as the note of ScaledUp or ScaledDown. */
export function scaleEvent(scale: { readonly from: number; readonly to: number; readonly because: string }): WantedEvent {
  return poolEvent(scale.to > scale.from ? 'ScaledUp' : 'ScaledDown', `${scale.from} -> ${scale.to}: ${scale.because}`)
}
