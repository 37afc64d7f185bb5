import { createHash } from 'node:crypto'
import { alertingType, type KubeObject, type Resource } from '../../api/index.ts'
import type { Clock } from '../../clock/index.ts'
import { classifyRefusal, hasCode, taskmillError } from '../../errors/index.ts'
import type { ClosingNamespaces, KubeClient } from '../../kube/index.ts'
import type { ConditionMetrics } from '../../observability/index.ts'

/**
 * Writes the status of the objects of one kind: transitions at once, gauges together, nothing while nothing changes.
 *
 * A transition is a change of what `transitionOf` returns. One of what `pacedTransitionOf` returns waits until its object has not been written
 * for `gaugeIntervalMs`, so that an object whose outcome changes each second is not written each second. Everything else in a status is a gauge: it is written with the next transition, or
 * once its object has not been written for `gaugeIntervalMs` and the budget of the process allows it. The last written status is kept here
 * until the cache shows it; then the object's own counts, and only a digest is kept. A status that somebody else has edited since is written again at once. The condition
 * that alerts write to their targets belongs to them: a difference in it is no reason to write.
 *
 * Guarantees: a status stands only on the object that it was made of. A UID alone does not ensure that, because an apply to the status of a
 * custom resource ignores it; so each write carries the version of its object. If another writer has changed the object meanwhile, the
 * status is written only after the API server has confirmed the UID. Nothing is written for an object that is gone, or into a namespace that is
 * being deleted; a status of record is refused then (TM_KUBE_NOT_FOUND, TM_KUBE_CONFLICT).
 */
export type StatusWriter<T extends StatusObject> = {
  /** The newest status known: the one that was written last, else the one that the object carries. */
  latest(key: string, object: T): T['status']
  /** Writes what has to be written now. `againAfterMs` says when a gauge that was held back is due. */
  write(key: string, object: T, status: NonNullable<T['status']>, signal?: AbortSignal): Promise<{ readonly againAfterMs?: number }>
  /** Call when the object is gone. */
  forget(key: string): void
}

export type StatusWriterDeps<T extends StatusObject> = {
  readonly client: KubeClient
  readonly resource: Resource<T>
  readonly fieldManager: string
  readonly clock: Clock
  readonly transitionOf: (status: NonNullable<T['status']>) => unknown
  readonly pacedTransitionOf?: (status: NonNullable<T['status']>) => unknown
  /** Shared by all writers of the process. */
  readonly budget: WriteBudget
  /** Receives the conditions of every write at once. Left out for kinds whose objects come and go by the thousand. */
  readonly conditionMetrics?: ConditionMetrics
  /** Between two writes of gauges alone, for the status as it is now and as it is shown; default 30 s. See `whileRunning`. */
  readonly gaugeIntervalMs?: number | ((status: NonNullable<T['status']>, shown: NonNullable<T['status']>) => number)
  /**
   * The status is the state of record: the first write of this process goes through only on the version that was seen, so that nothing that
   * the process before has decided and written is decided again.
   */
  readonly isRecord?: boolean
}

type StatusObject = KubeObject & { readonly status?: unknown }
type WithConditions = { readonly conditions?: readonly { readonly type: string; readonly status: string }[] }
type Written<T extends StatusObject> = {
  readonly uid: string | undefined
  /** Undefined as soon as the cache shows it: statuses are the largest part of many objects. */
  readonly status: NonNullable<T['status']> | undefined
  /** Of the status as the cache showed it. */
  readonly digest?: string
  readonly writtenAtMs: number
  /** Versions of the object: the one that was seen, those that writes have left since, and those on which they were made. */
  readonly versions: readonly (string | undefined)[]
}

/** How old gauges may be, within the budget, of an object in which something runs. */
export const runningGaugeMs = 5_000
const restingGaugeMs = 30_000
/** When to look again at an object whose namespace is being deleted. */
export const closingMs = 60_000

/** A `gaugeIntervalMs`: 5 s while something runs in the object, and until its end is shown; otherwise 30 s. */
export function whileRunning<S>(isRunning: (status: S) => boolean): (status: S, shown: S) => number {
  return (status, shown) => (isRunning(status) || isRunning(shown) ? runningGaugeMs : restingGaugeMs)
}

export function createStatusWriter<T extends StatusObject>(deps: StatusWriterDeps<T>): StatusWriter<T> {
  const written = new Map<string, Written<T>>()

  /** Only of this very object, and not of one that had its name before. */
  const remembered = (key: string, object: T): Written<T> | undefined => {
    const entry = written.get(key)
    if (entry === undefined || entry.uid !== object.metadata.uid) return undefined
    if (entry.status === undefined || !isShown(entry, object)) return entry
    const kept = keptOf(entry, object)
    written.set(key, kept)
    return kept
  }

  return {
    latest: (key, object) => remembered(key, object)?.status ?? object.status,
    forget: (key) => void written.delete(key),
    async write(key, object, status, signal) {
      deps.conditionMetrics?.(key, (status as WithConditions).conditions ?? [])
      const before = remembered(key, object)
      const shown = withoutAlerting(object.status as NonNullable<T['status']> | undefined)
      const isEdited = before !== undefined && isEditedSince(before, object)
      const known = before?.status === undefined || isEdited ? shown : before.status
      if (known !== undefined && isSame(known, status)) return {}
      if (known !== undefined && !isEdited && isSame(deps.transitionOf(known), deps.transitionOf(status))) {
        const waitMs = gaugeWaitMs(deps, key, before, status, known)
        if (waitMs > 0) return { againAfterMs: waitMs }
      }
      if (deps.isRecord !== true && deps.budget.isClosing(object.metadata)) return { againAfterMs: closingMs }
      try {
        written.set(key, await applyStatus(deps, object, status, before, signal))
      } catch (error) {
        if (!isGone(error)) throw error
        deps.budget.noteGone(object.metadata)
        if (deps.isRecord === true) throw error
      }
      return {}
    },
  }
}

/** As little as possible, because thousands of objects rest: the object's own texts, and no version that the cache has left behind. */
function keptOf<T extends StatusObject>({ writtenAtMs }: Written<T>, { metadata, status }: T): Written<T> {
  return { uid: metadata.uid, status: undefined, digest: digestOf(status), writtenAtMs, versions: [metadata.resourceVersion] }
}

/** 0: a change that is no transition may be written now. */
function gaugeWaitMs<T extends StatusObject>(
  { budget, clock, gaugeIntervalMs = restingGaugeMs, pacedTransitionOf, resource }: StatusWriterDeps<T>,
  key: string,
  before: Written<T> | undefined,
  status: NonNullable<T['status']>,
  shown: NonNullable<T['status']>,
): number {
  const intervalMs = typeof gaugeIntervalMs === 'number' ? gaugeIntervalMs : gaugeIntervalMs(status, shown)
  const quietMs = before === undefined ? 0 : before.writtenAtMs + intervalMs - clock.monotonicNow()
  if (quietMs > 0) return quietMs
  const isPaced = pacedTransitionOf !== undefined && !isSame(pacedTransitionOf(shown), pacedTransitionOf(status))
  return isPaced ? 0 : budget.take(`${resource.plural} ${key}`)
}

async function applyStatus<T extends StatusObject>(
  { client, clock, fieldManager, isRecord = false, resource }: StatusWriterDeps<T>,
  object: T,
  status: NonNullable<T['status']>,
  before: Written<T> | undefined,
  signal: AbortSignal | undefined,
): Promise<Written<T>> {
  const { namespace, name, uid } = object.metadata
  const apply = (resourceVersion: string | undefined) => {
    const body = { metadata: { name, namespace, uid, resourceVersion }, status } as unknown as Parameters<typeof client.applyStatus<T>>[1]
    return client.applyStatus(resource, body, { fieldManager, force: true, signal })
  }
  const versions = [...versionsSince(before, object)]
  const after = await apply(versions.at(-1)).catch(async (error: unknown) => {
    if (!hasCode(error, 'TM_KUBE_CONFLICT') || (isRecord && before === undefined)) throw error
    const { items } = await client.list<T>(resource, { namespace, fieldSelector: `metadata.name=${name}`, signal })
    const current = items.find(({ metadata }) => metadata.uid === uid)
    if (items.length === 0) throw taskmillError('TM_KUBE_NOT_FOUND', `${resource.plural} "${name}" is gone`, { cause: error })
    if (current === undefined) throw error
    // The cache may show this version later: it is older than what is written now.
    versions.push(current.metadata.resourceVersion)
    return await apply(current.metadata.resourceVersion)
  })
  return { uid, status, writtenAtMs: clock.monotonicNow(), versions: [...versions, after.metadata.resourceVersion] }
}

/** The object is gone, and the cache shows that in a moment; or its namespace is. */
function isGone(error: unknown): boolean {
  if (classifyRefusal(error).kind === 'NamespaceGone') return true
  // Without the CRD all are missing, and that is to be heard.
  return hasCode(error, 'TM_KUBE_NOT_FOUND') && !error.message.includes('could not find the requested resource')
}

/** The version of the object, followed by those that this process has left since: the cache may be behind its own writes. */
function versionsSince<T extends StatusObject>(before: Written<T> | undefined, { metadata }: T): readonly (string | undefined)[] {
  const shown = before?.versions.indexOf(metadata.resourceVersion) ?? -1
  return shown === -1 ? [metadata.resourceVersion] : (before?.versions.slice(shown) ?? [])
}

/** Whether another writer has left the version that the cache shows: it is no version of this process, and so a later one. */
function isOfOther<T extends StatusObject>({ versions }: Written<T>, { metadata }: T): boolean {
  return !versions.includes(metadata.resourceVersion)
}

/** Whether the cache shows what was written last. */
function isShown<T extends StatusObject>({ versions }: Written<T>, { metadata }: T): boolean {
  return metadata.resourceVersion !== undefined && metadata.resourceVersion === versions.at(-1)
}

/** Whether another writer has left another status than was written. */
function isEditedSince<T extends StatusObject>(before: Written<T>, object: T): boolean {
  if (!isOfOther(before, object)) return false
  return before.status === undefined ? digestOf(object.status) !== before.digest : !isSame(withoutAlerting(object.status), before.status)
}

/** The API server writes the members of an object in the same order each time. */
function digestOf(status: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify(withoutAlerting(status) ?? null))
    .digest('base64')
}

/** Whether both are the same as JSON: a member that is undefined is none. */
function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((item, index) => isSame(item, b[index]))
  }
  const [left, right] = [a as Readonly<Record<string, unknown>>, b as Readonly<Record<string, unknown>>]
  const hasNoMore = Object.keys(right).every((name) => right[name] === undefined || left[name] !== undefined)
  return hasNoMore && Object.keys(left).every((name) => isSame(left[name], right[name]))
}

/** The status without the condition that alerts write to their targets. */
function withoutAlerting<S>(status: S | undefined): S | undefined {
  const { conditions } = (status ?? {}) as { readonly conditions?: readonly { readonly type: string }[] }
  if (conditions?.some(({ type }) => type === alertingType) !== true) return status
  return { ...status, conditions: conditions.filter(({ type }) => type !== alertingType) } as S
}

/**
 * What gauges may cost the API server, over all objects of the process: a token bucket that holds one second's writes and fills evenly.
 *
 * Each writer that has to wait gets a time of its own, so that a thousand waiting writers do not ask ten times a second each.
 */
export type WriteBudget = Pick<ClosingNamespaces, 'isClosing' | 'noteGone'> & {
  /**
   * Returns 0 and counts the write if `writer` may write now; otherwise how many milliseconds to wait before asking again. Asking before that
   * time costs nothing.
   */
  take(writer: string): number
}

/** No namespace is being deleted. */
const noneClosing: Pick<ClosingNamespaces, 'isClosing' | 'noteGone'> = { isClosing: () => false, noteGone: () => undefined }

/**
 * `perSecond`: writes per second in the long run, and the most at once. `closing`: a status in a namespace that is being deleted is seen by
 * nobody, and thousands of them delay the deletion.
 */
export function createWriteBudget({
  clock,
  perSecond,
  closing = noneClosing,
}: {
  readonly clock: Clock
  readonly perSecond: number
  readonly closing?: Pick<ClosingNamespaces, 'isClosing' | 'noteGone'>
}): WriteBudget {
  const intervalMs = 1000 / perSecond
  /** When each waiting writer is to come back; the earliest first. */
  const comeBackAtMs = new Map<string, number>()
  let tokens = perSecond
  let filledAtMs = clock.monotonicNow()
  let lastComeBackMs = 0
  return {
    isClosing: closing.isClosing,
    noteGone: closing.noteGone,
    take(writer) {
      const nowMs = clock.monotonicNow()
      tokens = Math.min(perSecond, tokens + (nowMs - filledAtMs) / intervalMs)
      filledAtMs = nowMs
      const dueMs = comeBackAtMs.get(writer)
      // A writer that does not come back has nothing to write any more, or is gone.
      for (const [other, otherDueMs] of comeBackAtMs) {
        if (otherDueMs > nowMs) break
        comeBackAtMs.delete(other)
      }
      if (tokens >= 1) {
        comeBackAtMs.delete(writer)
        tokens -= 1
        return 0
      }
      if (dueMs !== undefined && dueMs > nowMs) return Math.ceil(dueMs - nowMs)
      lastComeBackMs = Math.max(nowMs + (1 - tokens) * intervalMs, lastComeBackMs + intervalMs)
      comeBackAtMs.set(writer, lastComeBackMs)
      return Math.ceil(lastComeBackMs - nowMs)
    },
  }
}
