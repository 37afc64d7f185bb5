/** What people read about a channel: pure. */
import {
  type AlertChannel,
  type AlertChannelStatus,
  channelCondition,
  channelTypes,
  channelEvent,
  findCondition,
  kubeTime,
  receiverOf,
  setConditions,
  type WantedCondition,
  type WantedEvent,
} from '../../api/index.ts'
import type { ChannelActivity, ChannelPlace } from '../../services/notifications/index.ts'

export type World = {
  readonly channel: AlertChannel
  readonly status: AlertChannelStatus | undefined
  readonly place: ChannelPlace
  readonly activity: ChannelActivity
  readonly nowMs: number
}

export function statusOf(world: World): AlertChannelStatus {
  const { channel, status, activity, nowMs } = world
  const delivered = activity.deliveredAtMs === undefined ? status?.lastDeliveryTime : kubeTime(activity.deliveredAtMs)
  const failed = activity.failedAtMs === undefined ? status?.lastFailureTime : kubeTime(activity.failedAtMs)
  return {
    observedGeneration: channel.metadata.generation ?? 0,
    type: channelTypes[receiverOf(channel.spec).kind],
    waiting: activity.waiting,
    ...(delivered === undefined ? {} : { lastDeliveryTime: delivered }),
    ...(failed === undefined ? {} : { lastFailureTime: failed }),
    conditions: setConditions(status?.conditions, [...health(world), ...lastDelivery(world)], nowMs, channel.metadata.generation),
  }
}

function health({ channel, place }: World): readonly WantedCondition[] {
  switch (place.kind) {
    case 'Log':
      return [channelCondition('Ready', 'Usable', "notifications are lines in the operator's log")]
    case 'Webhook': {
      const ref = channel.spec.webhook?.urlSecretRef
      const where = ref === undefined ? 'spec.webhook.url' : `the URL in "${ref.key}" of Secret "${ref.name}"`
      return [channelCondition('Ready', 'Usable', `notifications are posted to ${where}`)]
    }
    case 'Blocked': {
      const { reason, message } = place
      const ready = channelCondition('Ready', reason, message)
      return [
        ready,
        reason === 'SecretInvalid' ? channelCondition('Stalled', reason, message) : channelCondition('Reconciling', reason, message),
      ]
    }
  }
}

/** What was said last stays, also over a restart. */
function lastDelivery({ status, activity, place }: World): readonly WantedCondition[] {
  const { last, waiting } = activity
  if (place.kind === 'Blocked' || last === undefined) {
    const before = findCondition(status?.conditions, 'LastDeliverySucceeded')
    return before === undefined ? [] : [before]
  }
  if (last.ok) return [channelCondition('LastDeliverySucceeded', 'Delivered', 'the receiver took the last notification')]
  const words = `${last.message}; ${waiting === 1 ? '1 notification is' : `${waiting} notifications are`} sent again. Next: look at the receiver`
  return [channelCondition('LastDeliverySucceeded', 'DeliveryFailed', words)]
}

/** Events for what changed between two statuses. */
export function transitionEvents(before: AlertChannelStatus | undefined, after: AlertChannelStatus): readonly WantedEvent[] {
  const events: WantedEvent[] = []
  const ready = findCondition(after.conditions, 'Ready')
  const blocked = (['SecretNotFound', 'SecretForbidden', 'SecretInvalid'] as const).find((reason) => reason === ready?.reason)
  if (ready !== undefined && blocked !== undefined && findCondition(before?.conditions, 'Ready')?.reason !== blocked) {
    events.push(channelEvent(blocked, ready.message))
  }
  const was = findCondition(before?.conditions, 'LastDeliverySucceeded')?.status
  const now = findCondition(after.conditions, 'LastDeliverySucceeded')
  if (now?.status === 'False' && was !== 'False') events.push(channelEvent('DeliveryFailed', now.message))
  if (now?.status === 'True' && was === 'False') events.push(channelEvent('DeliveryRecovered', now.message))
  return events
}

/** What makes a status worth writing at once; numbers and times are gauges. */
export function transitionOf(status: AlertChannelStatus): unknown {
  return [status.observedGeneration, status.type, status.conditions?.map(({ type, status: holds, reason }) => [type, holds, reason])]
}
