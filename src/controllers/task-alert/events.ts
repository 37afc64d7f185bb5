import { crossedText, type AlertCondition, type Transition } from '../../alerting/index.ts'
import { alertEvent, findCondition, type TaskAlertStatus, type WantedEvent } from '../../api/index.ts'

/** Reasons of Ready with an Event of the same name. */
const eventReasons = [
  'TargetNotFound',
  'BrokerNotFound',
  'BrokerNotUsable',
  'BrokerUnreachable',
  'ChannelNotFound',
  'InvalidMessage',
  'UnreachableThreshold',
] as const

/** Events for what changed between two statuses; nothing while the same facts hold. */
export function transitionEvents(
  before: TaskAlertStatus | undefined,
  after: TaskAlertStatus,
  condition: AlertCondition,
  transition: Transition | undefined,
): readonly WantedEvent[] {
  return [
    ...firingEvents(condition, transition),
    ...readyEvents(before, after),
    ...notifiedEvents(before, after),
    ...overrideEvents(before, after),
  ]
}

function firingEvents(condition: AlertCondition, transition: Transition | undefined): readonly WantedEvent[] {
  if (transition === undefined) return []
  return transition.to === 'Firing'
    ? [alertEvent('AlertFiring', crossedText(condition, transition.text))]
    : [alertEvent('AlertResolved', transition.text)]
}

function readyEvents(before: TaskAlertStatus | undefined, after: TaskAlertStatus): readonly WantedEvent[] {
  const ready = findCondition(after.conditions, 'Ready')
  const reason = eventReasons.find((each) => each === ready?.reason)
  if (ready === undefined || reason === undefined || findCondition(before?.conditions, 'Ready')?.reason === reason) return []
  return [alertEvent(reason, ready.message)]
}

/** Names only the channels that did not take their notification. */
function notifiedEvents(before: TaskAlertStatus | undefined, after: TaskAlertStatus): readonly WantedEvent[] {
  const notified = findCondition(after.conditions, 'Notified')
  if (notified === undefined || findCondition(before?.conditions, 'Notified')?.reason === notified.reason) return []
  const failing = after.notifications?.filter(({ delivery, message }) => delivery !== 'Delivered' && message !== undefined) ?? []
  const note = failing.map(({ channel, message }) => `${channel}: ${message}`).join('; ')
  if (notified.reason === 'DeliveryFailed') return [alertEvent('NotificationFailed', note)]
  return notified.reason === 'DeliveryGivenUp' ? [alertEvent('NotificationGivenUp', note)] : []
}

function overrideEvents(before: TaskAlertStatus | undefined, after: TaskAlertStatus): readonly WantedEvent[] {
  const was = findCondition(before?.conditions, 'Overridden')?.message
  const now = findCondition(after.conditions, 'Overridden')?.message
  if (now !== undefined && now !== was) return [alertEvent('OverrideStarted', now)]
  return now === undefined && was !== undefined ? [alertEvent('OverrideEnded', `no longer ${was}`)] : []
}
