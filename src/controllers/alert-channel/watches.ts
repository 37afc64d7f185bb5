import type { AlertChannel } from '../../api/index.ts'
import type { Informer } from '../../kube/index.ts'
import { watch, type Watch } from '../../runtime/index.ts'
import type { Notifier } from '../../services/notifications/index.ts'

export type AlertChannelSources = {
  readonly caches: { readonly channels: Pick<Informer<AlertChannel>, 'onChange'> }
  readonly notifier: Pick<Notifier, 'onActivity'>
}

export function alertChannelWatches({ caches, notifier }: AlertChannelSources): readonly Watch[] {
  return [
    watch('AlertChannels', caches.channels, (key) => [key]),
    watch('notifications', { onChange: notifier.onActivity }, (channel) => [channel]),
  ]
}
