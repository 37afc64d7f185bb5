/** Events for what changed between two statuses of a TaskBroker. Pure. */
import { brokerEvent, findCondition, type TaskBrokerStatus, type WantedEvent } from '../../api/index.ts'

export function transitionEvents(before: TaskBrokerStatus | undefined, after: TaskBrokerStatus): readonly WantedEvent[] {
  return [...reachabilityEvents(before, after), ...dispatchEvents(before, after)]
}

function reachabilityEvents(before: TaskBrokerStatus | undefined, after: TaskBrokerStatus): readonly WantedEvent[] {
  const was = findCondition(before?.conditions, 'BrokerReachable')
  const now = findCondition(after.conditions, 'BrokerReachable')
  if (now === undefined || (was?.status === now.status && was.reason === now.reason)) return []
  return [brokerEvent(now.status === 'True' ? 'BrokerReachable' : 'BrokerUnreachable', now.message ?? '')]
}

function dispatchEvents(before: TaskBrokerStatus | undefined, after: TaskBrokerStatus): readonly WantedEvent[] {
  const was = findCondition(before?.conditions, 'Dispatching')
  const now = findCondition(after.conditions, 'Dispatching')
  if (now === undefined || was?.reason === now.reason) return []
  if (now.status === 'True') return [brokerEvent('DispatchStarted', now.message ?? '')]
  return now.status === 'False' && was?.status === 'True' ? [brokerEvent('DispatchStopped', now.message ?? '')] : []
}
