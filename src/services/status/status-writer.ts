/**
 * Status as the design asks for it: transitions at once, gauges coalesced, nothing while nothing changes.
 *
 * A transition is a change of what `transitionOf` returns; everything else in a status is a gauge, which is written with the next
 * transition or once its object has been quiet for `gaugeIntervalMs` and the operator's budget for gauges allows it. What was written last is remembered here, because the cache may
 * still show the status before it. The condition that alerts write to their targets is theirs: it is neither missed nor taken over here.
 *
 * A status never stands on another object than the one that it was made of. The UID alone would not do for that: an apply to the status of a
 * custom resource ignores it. So a status carries the version of its object; when somebody else has changed that meanwhile, it is written only
 * after the API server has said that it is still the same object, and else refused (TM_KUBE_CONFLICT).
 */
import { isDeepStrictEqual } from 'node:util'
import { alertingType, type KubeObject, type Resource } from '../../api/index.ts'
import type { Clock } from '../../clock/index.ts'
import { hasCode } from '../../errors/index.ts'
import type { KubeClient } from '../../kube/index.ts'
import type { ConditionMetrics } from '../../observability/index.ts'
import type { WriteBudget } from './write-budget.ts'

export type StatusWriter<T extends StatusObject> = {
  /** The newest status known: what was written last, else what the object carries. */
  latest(key: string, object: T): T['status']
  /** Writes what has to be written now; `againAfterMs` says when a gauge that was held back is due. */
  write(key: string, object: T, status: NonNullable<T['status']>, signal?: AbortSignal): Promise<{ readonly againAfterMs?: number }>
  /** Call when the object is gone. */
  forget(key: string): void
}

type StatusObject = KubeObject & { readonly status?: unknown }
type WithConditions = { readonly conditions?: readonly { readonly type: string; readonly status: string }[] }
type Written<T extends StatusObject> = {
  readonly uid: string | undefined
  readonly status: NonNullable<T['status']>
  readonly atMs: number
  /** Of the object: the one that was seen, and those that writes have left since. */
  readonly versions: readonly (string | undefined)[]
}

export function createStatusWriter<T extends StatusObject>(deps: {
  readonly client: KubeClient
  readonly resource: Resource<T>
  readonly fieldManager: string
  readonly clock: Clock
  readonly transitionOf: (status: NonNullable<T['status']>) => unknown
  /** Shared by all writers of the process. */
  readonly budget: WriteBudget
  /** Where the conditions are told as metrics, at once; kinds that come and go by the thousand leave it out. */
  readonly conditionMetrics?: ConditionMetrics
  /** Between two writes of gauges alone; default 30 s. */
  readonly gaugeIntervalMs?: number | ((status: NonNullable<T['status']>) => number)
  /**
   * The status is the state of record: the first write of this process goes through only if the object is the one that was seen, so that
   * nothing is decided over again that the process before has written last.
   */
  readonly isRecord?: boolean
}): StatusWriter<T> {
  const { client, resource, fieldManager, clock, transitionOf, budget, conditionMetrics, gaugeIntervalMs = 30_000, isRecord = false } = deps
  const written = new Map<string, Written<T>>()
  const intervalOf = typeof gaugeIntervalMs === 'number' ? () => gaugeIntervalMs : gaugeIntervalMs

  const remembered = (key: string, object: T): Written<T> | undefined => {
    const entry = written.get(key)
    return entry?.uid === object.metadata.uid ? entry : undefined
  }

  return {
    latest: (key, object) => remembered(key, object)?.status ?? object.status,
    forget: (key) => void written.delete(key),
    async write(key, object, status, signal) {
      conditionMetrics?.(key, (status as WithConditions).conditions ?? [])
      const before = remembered(key, object)
      const known = before?.status ?? ownPart(object.status as NonNullable<T['status']> | undefined)
      if (known !== undefined && isDeepStrictEqual(known, status)) return {}
      const isTransition = known === undefined || !isDeepStrictEqual(transitionOf(known), transitionOf(status))
      if (!isTransition) {
        const quietMs = before === undefined ? 0 : before.atMs + intervalOf(status) - clock.monotonicNow()
        const waitMs = quietMs > 0 ? quietMs : budget.take(`${resource.plural} ${key}`)
        if (waitMs > 0) return { againAfterMs: waitMs }
      }
      const { namespace, name, uid, resourceVersion: seen } = object.metadata
      // What the cache shows may be older than what the last write left.
      const shown = before?.versions.indexOf(seen) ?? -1
      const versions = shown === -1 ? [seen] : (before?.versions.slice(shown) ?? [])
      const put = (resourceVersion: string | undefined) => {
        const body = { metadata: { name, namespace, uid, resourceVersion }, status } as unknown as Parameters<
          typeof client.applyStatus<T>
        >[1]
        return client.applyStatus(resource, body, { fieldManager, force: true, signal })
      }
      const after = await put(versions.at(-1)).catch(async (error: unknown) => {
        if (!hasCode(error, 'TM_KUBE_CONFLICT') || (isRecord && before === undefined)) throw error
        const { items } = await client.list<T>(resource, { namespace, fieldSelector: `metadata.name=${name}`, signal })
        const current = items.find(({ metadata }) => metadata.uid === uid)
        if (current === undefined) throw error
        return await put(current.metadata.resourceVersion)
      })
      written.set(key, { uid, status, atMs: clock.monotonicNow(), versions: [...versions, after.metadata.resourceVersion] })
      return {}
    },
  }
}

/** Without what alerts say about the object. */
function ownPart<S>(status: S | undefined): S | undefined {
  const { conditions } = (status ?? {}) as { readonly conditions?: readonly { readonly type: string }[] }
  if (conditions?.some(({ type }) => type === alertingType) !== true) return status
  return { ...status, conditions: conditions.filter(({ type }) => type !== alertingType) } as S
}
