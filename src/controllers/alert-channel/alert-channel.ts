import { type AlertChannel, alertChannels, findCondition } from '../../api/index.ts'
import type { Clock } from '../../clock/index.ts'
import type { EventRecorder, Informer, KubeClient } from '../../kube/index.ts'
import { createConditionMetrics, type Metrics } from '../../observability/index.ts'
import { soonest } from '../../runtime/index.ts'
import type { SecretCache } from '../../services/secrets/index.ts'
import { type Notifier, placeOf } from '../../services/notifications/index.ts'
import { createStatusWriter, type WriteBudget } from '../../services/status/index.ts'
import { statusOf, transitionEvents, transitionOf } from './status.ts'

export type AlertChannelDeps = {
  readonly client: KubeClient
  readonly channels: Informer<AlertChannel>
  readonly secrets: SecretCache
  readonly notifier: Notifier
  readonly events: EventRecorder
  readonly metrics: Metrics
  readonly clock: Clock
  /** What gauges may cost, over all kinds. */
  readonly statusBudget: WriteBudget
}

/** All there are: series that stay at 0 are told too. */
const outcomes = ['Delivered', 'Failed', 'GivenUp'] as const
/** Nothing is told while nobody is notified. */
const gaugeIntervalMs = 1_000
/** A Secret is not watched. */
const rereadMs = 60_000
const missingMs = 5_000

export function createAlertChannelController(deps: AlertChannelDeps): {
  reconcile(key: string, context: { readonly signal: AbortSignal }): Promise<{ readonly requeueAfterMs?: number }>
} {
  const { client, channels, secrets, notifier, events, metrics, clock } = deps
  const status = createStatusWriter<AlertChannel>({
    client,
    resource: alertChannels,
    fieldManager: 'taskmill-alert-channel',
    clock,
    transitionOf,
    budget: deps.statusBudget,
    conditionMetrics: createConditionMetrics(metrics, 'AlertChannel'),
    gaugeIntervalMs,
  })

  function forget(key: string): void {
    notifier.forgetChannel(key)
    status.forget(key)
  }

  return {
    async reconcile(key, { signal }) {
      const channel = channels.get(key)
      if (channel === undefined || channel.metadata.deletionTimestamp !== undefined) {
        forget(key)
        return {}
      }
      const before: AlertChannel['status'] = status.latest(key, channel)
      // What was of no use is read again, not remembered.
      const force = findCondition(before?.conditions, 'Ready')?.reason === 'SecretInvalid'
      const place = await placeOf(channel, secrets, { force, signal })
      const activity = notifier.activity(key)
      const after = statusOf({ channel, status: before, place, activity, nowMs: clock.now() })
      const written = await status.write(key, channel, after, signal)
      for (const event of transitionEvents(before, after)) events.event(channel, event)
      const series = metrics.of('AlertChannel', key)
      for (const outcome of outcomes) series.add('taskmill_notifications_total', { outcome }, 0)
      series.set('taskmill_notifications_waiting', {}, activity.waiting)
      const isOther = before?.observedGeneration !== after.observedGeneration
      const isBack = place.kind !== 'Blocked' && findCondition(before?.conditions, 'Ready')?.status !== 'True'
      if (isOther || isBack) notifier.retryNow(key)
      const rereadAfterMs = place.kind === 'Blocked' ? missingMs : channel.spec.webhook?.urlSecretRef === undefined ? undefined : rereadMs
      return soonest([written.againAfterMs, rereadAfterMs])
    },
  }
}
