import { type AlertChannel, alertChannels, keysOf } from '../../api/index.ts'
import type { Informer, InformerDeclaration } from '../../kube/index.ts'
import { type Kind, watch } from '../../runtime/index.ts'
import type { Notifier } from '../../services/notifications/index.ts'
import { type AlertChannelDeps, createAlertChannelController } from './controller.ts'

const channels: InformerDeclaration<AlertChannel> = { resource: alertChannels }

type Deps = Omit<AlertChannelDeps, 'channels'> & {
  readonly caches: { readonly channels: Informer<AlertChannel> }
  readonly notifier: Notifier
}

export const alertChannelKind = {
  name: 'alert-channel',
  caches: { channels },
  keys: ({ caches }) => keysOf(caches.channels.list()),
  watches: ({ caches, notifier }) => [
    watch('AlertChannels', caches.channels, (key) => [key]),
    // After each attempt, and when a notification is queued.
    watch('notifications', { onChange: notifier.onActivity }, (channel) => [channel]),
  ],
  create: ({ caches, ...deps }) => createAlertChannelController({ ...deps, channels: caches.channels }),
} satisfies Kind<Deps>
