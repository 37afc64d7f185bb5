import { findCondition, poolEvent, type WantedEvent, type WorkerPoolStatus } from '../../api/index.ts'
import type { Takeover } from '../../workloads/index.ts'

/** Reasons of Ready that are worth an Event when they come. */
const tellable = [
  'BrokerNotFound',
  'BrokerNotReady',
  'BrokerUnreachable',
  'DeploymentNotOwned',
  'TargetNotFound',
  'TemplateRefused',
] as const

/** Events for what changed between two statuses; nothing while the same facts hold. */
export function transitionEvents(before: WorkerPoolStatus | undefined, after: WorkerPoolStatus): readonly WantedEvent[] {
  return [
    ...readyEvents(before, after),
    ...templateEvents(before, after),
    ...serverEvents(before, after),
    ...scalingEvents(before, after),
    ...overrideEvents(before, after),
  ]
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

/** One for each template that is refused: the next one may be wrong in another way. */
function templateEvents(before: WorkerPoolStatus | undefined, after: WorkerPoolStatus): readonly WantedEvent[] {
  const refusalIn = (status: WorkerPoolStatus | undefined) => {
    const stalled = findCondition(status?.conditions, 'Stalled')
    return stalled?.reason === 'TemplateInvalid' ? stalled.message : undefined
  }
  const message = refusalIn(after)
  return message === undefined || message === refusalIn(before) ? [] : [poolEvent('TemplateInvalid', message)]
}

/** An Event when the API server has failed, and none with each try. */
function serverEvents(before: WorkerPoolStatus | undefined, after: WorkerPoolStatus): readonly WantedEvent[] {
  const reconciling = findCondition(after.conditions, 'Reconciling')
  const isNew = reconciling?.reason === 'ApiServerFailed' && findCondition(before?.conditions, 'Reconciling')?.reason !== reconciling.reason
  return isNew ? [poolEvent('ApiServerFailed', reconciling.message)] : []
}

function scalingEvents(before: WorkerPoolStatus | undefined, after: WorkerPoolStatus): readonly WantedEvent[] {
  const able = findCondition(after.conditions, 'AbleToScale')
  const isNew = able?.reason === 'FailedUpdateScale' && findCondition(before?.conditions, 'AbleToScale')?.reason !== able.reason
  return isNew ? [poolEvent('FailedUpdateScale', able.message)] : []
}

const shownFields = 5

export function takeoverEvent({ manager, fields }: Takeover['from'][number]): WantedEvent {
  const more = fields.length - shownFields
  const names = `${fields.slice(0, shownFields).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
  return poolEvent('FieldsTakenOver', `field manager "${manager}" held ${names} of the Deployment; they are now as spec.template says`)
}

/** `2 -> 7: 312 jobs …`, as the note of ScaledUp or ScaledDown. */
export function scaleEvent(scale: { readonly from: number; readonly to: number; readonly because: string }): WantedEvent {
  return poolEvent(scale.to > scale.from ? 'ScaledUp' : 'ScaledDown', `${scale.from} -> ${scale.to}: ${scale.because}`)
}
