import { type AlertChannel, alertChannels } from '../../api/index.ts'
import type { Clock } from '../../clock/index.ts'
import type { EventRecorder, Informer, KubeClient } from '../../kube/index.ts'
import { createConditionMetrics, type Metrics } from '../../observability/index.ts'
import { soonest } from '../../runtime/index.ts'
import { type Notifier, openNotificationMetrics } from '../../services/notifications/index.ts'
import type { SecretCache } from '../../services/secrets/index.ts'
import { createStatusWriter, type WriteBudget } from '../../services/status/index.ts'
import { transitionEvents } from './events.ts'
import { gather, rereadAfterMs } from './gather.ts'
import { canRetryNow, statusOf, transitionOf } from './status.ts'

export type AlertChannelDeps = {
  readonly client: KubeClient
  readonly channels: Pick<Informer<AlertChannel>, 'get'>
  readonly secrets: SecretCache
  readonly notifier: Notifier
  readonly events: EventRecorder
  readonly metrics: Metrics
  readonly clock: Clock
  /** What gauges may cost, over all kinds. */
  readonly statusBudget: WriteBudget
}

/** Short: the status changes only while notifications are sent. */
const gaugeIntervalMs = 1_000

export function createAlertChannelController(deps: AlertChannelDeps): {
  reconcile(key: string, context: { readonly signal: AbortSignal }): Promise<{ readonly requeueAfterMs?: number }>
} {
  const { client, channels, secrets, notifier, events, metrics, clock } = deps
  const statuses = createStatusWriter<AlertChannel>({
    client,
    resource: alertChannels,
    fieldManager: 'taskmill-alert-channel',
    clock,
    transitionOf,
    budget: deps.statusBudget,
    conditionMetrics: createConditionMetrics(metrics, 'AlertChannel'),
    gaugeIntervalMs,
  })

  return {
    async reconcile(key, { signal }) {
      const channel = channels.get(key)
      if (channel === undefined || channel.metadata.deletionTimestamp !== undefined) {
        notifier.forgetChannel(key)
        statuses.forget(key)
        return {}
      }
      const world = await gather(key, channel, statuses.latest(key, channel), { secrets, notifier, nowMs: clock.now() }, signal)
      const status = statusOf(world)
      const written = await statuses.write(key, channel, status, signal)
      for (const event of transitionEvents(world.status, status)) events.event(channel, event)
      openNotificationMetrics(metrics, key, world.activity)
      if (canRetryNow(world, status)) notifier.retryNow(key)
      return soonest([written.againAfterMs, rereadAfterMs(world)])
    },
  }
}
