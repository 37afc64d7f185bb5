/** The status of a channel. Pure. */
import {
  channelCondition,
  channelTypes,
  findCondition,
  kubeTime,
  receiverOf,
  setConditions,
  type WantedCondition,
} from '../../api/index.ts'
import type { World } from './gather.ts'

type Status = NonNullable<World['status']>

export function statusOf(world: World): Status {
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

/** The last answer stays until there is another one, also over a restart. */
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

/** What makes a status worth writing at once; numbers and times are gauges. */
export function transitionOf(status: Status): unknown {
  return [status.observedGeneration, status.type, status.conditions?.map(({ type, status: holds, reason }) => [type, holds, reason])]
}

/** Whether a notification that waits for its next attempt can be sent now: the channel has changed, or can be used again. */
export function canRetryNow({ status: before, place }: World, after: Status): boolean {
  const isOther = before?.observedGeneration !== after.observedGeneration
  const isBack = place.kind !== 'Blocked' && findCondition(before?.conditions, 'Ready')?.status !== 'True'
  return isOther || isBack
}
