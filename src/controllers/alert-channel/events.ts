import { channelEvent, findCondition, type WantedEvent } from '../../api/index.ts'
import type { World } from './gather.ts'

/** Events for what changed between two statuses. */
export function transitionEvents(before: World['status'], after: NonNullable<World['status']>): readonly WantedEvent[] {
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
