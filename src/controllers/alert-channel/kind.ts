import { type AlertChannel, alertChannels, keysOf } from '../../api/index.ts'
import type { Informer, InformerDeclaration } from '../../kube/index.ts'
import type { Kind } from '../../runtime/index.ts'
import type { Notifier } from '../../services/notifications/index.ts'
import { type AlertChannelDeps, createAlertChannelController } from './alert-channel.ts'
import { alertChannelWatches } from './watches.ts'

const channels: InformerDeclaration<AlertChannel> = { resource: alertChannels }

type Deps = Omit<AlertChannelDeps, 'channels'> & {
  readonly caches: { readonly channels: Informer<AlertChannel> }
  readonly notifier: Notifier
}

export const alertChannelKind = {
  name: 'alert-channel',
  caches: { channels },
  keys: ({ caches }) => keysOf(caches.channels.list()),
  watches: alertChannelWatches,
  create: ({ caches, ...deps }) => createAlertChannelController({ ...deps, channels: caches.channels }),
} satisfies Kind<Deps>
