/**
 * The condition Alerting of the targets of alerts: one condition over all alerts of a target. It has a field manager of its own, beside the
 * one of the target's controller. It follows from the statuses of the alerts alone, so that it is right after a restart, and after an alert
 * was deleted while no operator ran.
 */
import { alertingType, type Condition, findCondition, setConditions, targetCondition } from '../../api/index.ts'
import type { TaskAlert, WantedCondition } from '../../api/index.ts'
import type { UnknownReason } from '../../alerting/index.ts'
import type { Clock } from '../../clock/index.ts'
import { hasCode } from '../../errors/index.ts'
import type { KubeClient } from '../../kube/index.ts'
import { closingMs, runningGaugeMs, type WriteBudget } from '../../services/status/index.ts'
import { type Target, type TargetKind, targetResources } from './target.ts'

export type AlertingDeps = {
  readonly client: KubeClient
  /** By `targetKey`. */
  readonly alertsOf: (target: string) => readonly TaskAlert[]
  readonly targetOf: (kind: TargetKind, namespace: string, name: string) => Target | undefined
  readonly clock: Clock
  readonly statusBudget: WriteBudget
}

const fieldManager = 'taskmill-alerting'
const mostNamed = 10
const severities = ['Critical', 'Warning', 'Info'] satisfies readonly TaskAlert['spec']['severity'][]

type Written = {
  readonly uid: string | undefined
  readonly condition: Condition | undefined
  readonly firing: string
  readonly atMs: number
}

/** Keys are those of `targetKey`. */
export function createAlertingController({ client, alertsOf, targetOf, clock, statusBudget }: AlertingDeps): {
  reconcile(key: string, context: { readonly signal: AbortSignal }): Promise<{ readonly requeueAfterMs?: number }>
} {
  /** The last write of each target: the cache can still show the target before it. */
  const written = new Map<string, Written>()

  return {
    async reconcile(key, { signal }) {
      const [kind, namespace = '', name = ''] = key.split('/') as [TargetKind, string?, string?]
      const target = targetOf(kind, namespace, name)
      if (target === undefined || target.object.metadata.deletionTimestamp !== undefined) {
        written.delete(key)
        return {}
      }
      const { metadata, status } = target.object
      // Its alerts go with it, each by itself.
      if (statusBudget.isClosing(metadata)) return { requeueAfterMs: closingMs }
      const last = written.get(key)
      const before = last?.uid === metadata.uid && last !== undefined ? last : undefined
      const current = before === undefined ? findCondition(status?.conditions, alertingType) : before.condition
      const alerts = alertsOf(key).filter((alert) => alert.metadata.deletionTimestamp === undefined)
      const wanted = alertingOf(alerts)
      if (wanted === 'Undecided' || isSame(current, wanted)) return {}
      const firing = describeFiring(alerts)
      if (before !== undefined && before.firing === firing && current?.status === wanted?.status && current?.reason === wanted?.reason) {
        // The message has values, which change all the time.
        const quietMs = before.atMs + runningGaugeMs - clock.monotonicNow()
        const waitMs = quietMs > 0 ? quietMs : statusBudget.take(`alerting ${key}`)
        if (waitMs > 0) return { requeueAfterMs: waitMs }
      }
      const conditions = wanted === undefined ? [] : setConditions(current === undefined ? [] : [current], [wanted], clock.now(), undefined)
      const body = { metadata: { name, namespace, uid: metadata.uid }, status: { conditions } }
      try {
        await client.applyStatus(targetResources[kind].resource, body, { fieldManager, force: true, signal })
      } catch (error) {
        // The target was deleted a moment ago.
        if (!hasCode(error, 'TM_KUBE_NOT_FOUND')) throw error
        statusBudget.noteGone(metadata)
      }
      written.set(key, { uid: metadata.uid, condition: conditions[0], firing, atMs: clock.monotonicNow() })
      return {}
    },
  }
}

function isSame(current: Condition | undefined, wanted: WantedCondition | undefined): boolean {
  return current?.status === wanted?.status && current?.reason === wanted?.reason && current?.message === wanted?.message
}

/** Which alerts fire, and who has acknowledged them: a change of these is written at once, even if status and reason stay. */
function describeFiring(alerts: readonly TaskAlert[]): string {
  return alerts
    .filter(({ status }) => status?.state === 'Firing')
    .map(({ metadata, spec, status }) => `${metadata.name} ${spec.severity} ${status?.ackedBy ?? ''}`)
    .toSorted()
    .join('\n')
}

/**
 * The condition over all alerts of a target. Undefined: there is no alert, so there is no condition. `Undecided`: no alert fires, and one was
 * not judged yet, which takes a moment only.
 */
export function alertingOf(alerts: readonly TaskAlert[]): WantedCondition | 'Undecided' | undefined {
  const firing = alerts.filter(({ status }) => status?.state === 'Firing').toSorted(byImportance)
  if (firing.length > 0) return targetCondition('Alerting', 'AlertsFiring', listed(firing.map(firingWords)))
  if (alerts.length === 0) return undefined
  if (alerts.some(({ status }) => status?.state === undefined)) return 'Undecided'
  const unseen = alerts.filter(isBlind).toSorted(byImportance)
  if (unseen.length > 0) {
    const words = unseen.map(({ metadata, status }) => `${metadata.name}: ${findCondition(status?.conditions, 'Firing')?.message ?? ''}`)
    return targetCondition('Alerting', 'AlertsUnknown', listed(words))
  }
  return targetCondition(
    'Alerting',
    'NoAlertFiring',
    alerts.length === 1 ? '1 alert, it does not fire' : `${alerts.length} alerts, none fires`,
  )
}

/**
 * Reasons of Firing for which the value cannot be seen. With the other reasons there is no value, or too little to judge, which is no fault of
 * the target.
 */
const blindReasons: Readonly<Record<UnknownReason, boolean>> = {
  TargetNotFound: false,
  BrokerNotFound: true,
  BrokerNotUsable: true,
  BrokerUnreachable: true,
  NotReadYet: false,
  TooFewRuns: false,
  CountsLost: true,
  TargetSuspended: false,
}

function isBlind({ status }: TaskAlert): boolean {
  const firing = findCondition(status?.conditions, 'Firing')
  if (firing?.status !== 'Unknown' || !Object.hasOwn(blindReasons, firing.reason)) return false
  return blindReasons[firing.reason as UnknownReason]
}

/** `email-failing (Critical): 23% (69/300) > 10% in 5m, since 2026-11-29T02:51:00Z, not acknowledged`. */
function firingWords({ metadata, spec, status }: TaskAlert): string {
  const firing = findCondition(status?.conditions, 'Firing')
  const since = firing?.reason === 'ThresholdCrossed' ? `, since ${status?.sinceTime ?? ''}` : ''
  const by = status?.ackedBy === undefined ? 'not acknowledged' : `acknowledged by ${status.ackedBy}`
  return `${metadata.name} (${spec.severity}): ${firing?.message ?? ''}${since}, ${by}`
}

function byImportance(a: TaskAlert, b: TaskAlert): number {
  const rank = ({ spec }: TaskAlert): number => severities.indexOf(spec.severity)
  return rank(a) - rank(b) || (a.metadata.name < b.metadata.name ? -1 : 1)
}

function listed(words: readonly string[]): string {
  const more = words.length > mostNamed ? [`and ${words.length - mostNamed} more`] : []
  return [...words.slice(0, mostNamed), ...more].join('; ')
}
