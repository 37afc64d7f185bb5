/**
 * The condition Alerting of what alerts watch: one over all alerts of a target, by a field manager of its own, in the status that the
 * target's controller writes for the rest. It follows from the alerts' statuses alone, so that it is right after a restart, and after an
 * alert was deleted while nobody looked.
 */
import { alertingType, findCondition, setConditions, type TaskAlert, type WantedCondition } from '../../api/index.ts'
import type { Condition } from '../../api/index.ts'
import type { Clock } from '../../clock/index.ts'
import { hasCode } from '../../errors/index.ts'
import type { KubeClient } from '../../kube/index.ts'
import type { WriteBudget } from '../../services/status/index.ts'
import { alertingOf, newsOf } from './alerting-condition.ts'
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
/** Values in the message move all the time. */
const gaugeIntervalMs = 30_000

type Written = { readonly uid: string | undefined; readonly condition: Condition | undefined; readonly news: string; readonly atMs: number }

/** Keys are those of `targetKey`. */
export function createAlertingController({ client, alertsOf, targetOf, clock, statusBudget }: AlertingDeps): {
  reconcile(key: string, context: { readonly signal: AbortSignal }): Promise<{ readonly requeueAfterMs?: number }>
} {
  /** What was written last: the cache may still show the target before it. */
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
      const last = written.get(key)
      const before = last?.uid === metadata.uid && last !== undefined ? last : undefined
      const current = before === undefined ? findCondition(status?.conditions, alertingType) : before.condition
      const alerts = alertsOf(key).filter((alert) => alert.metadata.deletionTimestamp === undefined)
      const wanted = alertingOf(alerts)
      if (wanted === 'Undecided' || isSame(current, wanted)) return {}
      const news = newsOf(alerts)
      if (before !== undefined && before.news === news && current?.status === wanted?.status && current?.reason === wanted?.reason) {
        const quietMs = before.atMs + gaugeIntervalMs - clock.monotonicNow()
        const waitMs = quietMs > 0 ? quietMs : statusBudget.take(`alerting ${key}`)
        if (waitMs > 0) return { requeueAfterMs: waitMs }
      }
      const conditions = wanted === undefined ? [] : setConditions(current === undefined ? [] : [current], [wanted], clock.now(), undefined)
      const body = { metadata: { name, namespace, uid: metadata.uid }, status: { conditions } }
      try {
        await client.applyStatus(targetResources[kind].resource, body, { fieldManager, force: true, signal })
      } catch (error) {
        // Deleted a moment ago.
        if (!hasCode(error, 'TM_KUBE_NOT_FOUND')) throw error
      }
      written.set(key, { uid: metadata.uid, condition: conditions[0], news, atMs: clock.monotonicNow() })
      return {}
    },
  }
}

function isSame(current: Condition | undefined, wanted: WantedCondition | undefined): boolean {
  return current?.status === wanted?.status && current?.reason === wanted?.reason && current?.message === wanted?.message
}
