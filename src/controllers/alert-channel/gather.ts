import { type AlertChannel, findCondition, receiverOf } from '../../api/index.ts'
import { type ChannelActivity, type ChannelPlace, type Notifier, placeOf } from '../../services/notifications/index.ts'
import type { SecretCache } from '../../services/secrets/index.ts'

/** Everything that the status of a channel depends on. */
export type World = {
  readonly channel: AlertChannel
  /** The status that was written last. */
  readonly status: AlertChannel['status']
  /** Where notifications go, or why they cannot be sent. */
  readonly place: ChannelPlace
  readonly activity: ChannelActivity
  readonly nowMs: number
}

/** A Secret is not watched: it is read again after this time, sooner if it cannot be used. */
const rereadMs = 60_000
const blockedRereadMs = 5_000

type GatherDeps = { readonly secrets: SecretCache; readonly notifier: Pick<Notifier, 'activity'>; readonly nowMs: number }

/** Reads the Secret of the channel, if it has one, from the cache of Secrets; an invalid Secret is read again each time. */
export async function gather(
  key: string,
  channel: AlertChannel,
  status: AlertChannel['status'],
  { secrets, notifier, nowMs }: GatherDeps,
  signal: AbortSignal,
): Promise<World> {
  const force = findCondition(status?.conditions, 'Ready')?.reason === 'SecretInvalid'
  const place = await placeOf(channel, secrets, { force, signal })
  return { channel, status, place, activity: notifier.activity(key), nowMs }
}

/** When the channel has to be gathered again although nothing announces a change; undefined: never. */
export function rereadAfterMs({ channel, place }: World): number | undefined {
  if (place.kind === 'Blocked') return blockedRereadMs
  const receiver = receiverOf(channel.spec)
  switch (receiver.kind) {
    case 'log':
      return undefined
    case 'webhook':
      return receiver.value.urlSecretRef === undefined ? undefined : rereadMs
  }
}
