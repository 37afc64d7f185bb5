import { setImmediate as nextTurn } from 'node:timers/promises'
import type { KubeObject, Resource } from '../api/index.ts'
import { deadline, type Clock } from '../clock/index.ts'
import { errorMessage, hasCode, TaskmillError, taskmillError, type KubeErrorDetails } from '../errors/index.ts'
import type { Logger } from '../observability/index.ts'
import type { KubeClient, ListPage } from './client.ts'
import { keyOf } from './notation.ts'
import { causesOf } from './status-error.ts'
import { isEndOfInitialEvents } from './watch-stream.ts'

/** Where a reflector stores the objects that it reads. */
type ReflectorTarget<T> = {
  /** Replaces everything, by key. The caller does not change the map afterwards. */
  replace(objects: Map<string, T>): Promise<void>
  put(object: T): void
  remove(object: T): void
}

export type ReflectorDeps<T> = {
  readonly client: Pick<KubeClient, 'list' | 'watch' | 'onReachable'>
  readonly resource: Resource<T>
  readonly namespace?: string | undefined
  readonly labelSelector?: string | undefined
  readonly fieldSelector?: string | undefined
  readonly clock: Clock
  readonly log: Logger
  readonly rng: () => number
  /**
   * What to keep of each object; default: everything except `metadata.managedFields` and the copy of the manifest that
   * `kubectl apply` leaves. Must keep name, namespace, UID and resourceVersion.
   */
  readonly transform?: (object: T) => T
  /** Whether the server may stream the first list (WatchList); default true. */
  readonly streamLists?: boolean
  /** Gets each error of a list or a watch, before it is tried again. */
  readonly onFailure?: (error: unknown) => void
}

/**
 * - `stream`: read everything again, by a watch that starts with all existing objects.
 * - `list`: the same in pages, if the server does not support streams or a stream has just failed.
 * - `watch`: the target is complete up to that version; follow the changes.
 */
type State = { readonly phase: 'stream' } | { readonly phase: 'list' } | { readonly phase: 'watch'; readonly from: string }

/**
 * Half of client-go's page size: a page is parsed in one go, and the event loop must not be blocked for more than 20
 * ms.
 */
const pageSize = 250
const watchSeconds = { min: 240, max: 300 }
/** A watch that ends sooner than this without an event counts as failed, even if the server ended it normally. */
const shortWatchMs = 1_000

/**
 * Keeps the target equal to the selected objects of the API server. Resolves when the signal aborts; nothing else ends
 * it.
 *
 * Guarantees: every list is the newest state. A cached list (`resourceVersion=0`) could be older than what the target
 * already has, and it comes in one piece, which would block the event loop.
 */
export async function reflect<T extends KubeObject>(
  deps: ReflectorDeps<T>,
  target: ReflectorTarget<T>,
  signal: AbortSignal,
): Promise<void> {
  const { client, resource, namespace, labelSelector, fieldSelector, clock, log, rng } = deps
  const transform = deps.transform ?? compact
  const backoff = createBackoff(clock, rng)
  let streams = deps.streamLists ?? true
  const anew = (): State => ({ phase: streams ? 'stream' : 'list' })
  let state = anew()

  async function listPages(): Promise<void> {
    const objects = new Map<string, T>()
    let next: string | undefined
    let page: ListPage<T>
    do {
      page = await client.list(resource, { namespace, labelSelector, fieldSelector, limit: pageSize, signal, continue: next })
      // Parsing a page takes milliseconds. Other work runs before the objects are added, and before the next page.
      await nextTurn()
      signal.throwIfAborted()
      for (const object of page.items) objects.set(keyOf(object), transform(object))
      next = page.continue
    } while (next !== undefined)
    await target.replace(objects)
    state = { phase: 'watch', from: page.resourceVersion }
  }

  /**
   * Follows one watch, from a version or from the start. Records each version that was reached, so that a failure loses
   * no change.
   */
  async function follow(resourceVersion: string | undefined): Promise<void> {
    const startedMs = clock.monotonicNow()
    const timeoutSeconds = Math.round(watchSeconds.min + rng() * (watchSeconds.max - watchSeconds.min))
    let initial = resourceVersion === undefined ? new Map<string, T>() : undefined
    let events = 0
    for await (const event of client.watch(resource, {
      namespace,
      labelSelector,
      fieldSelector,
      resourceVersion,
      timeoutSeconds,
      signal,
    })) {
      signal.throwIfAborted()
      events++
      const { type, object } = event
      if (initial) {
        if (type === 'DELETED') initial.delete(keyOf(object))
        else if (type !== 'BOOKMARK') initial.set(keyOf(object), transform(object))
        if (!isEndOfInitialEvents(event)) continue
        await target.replace(initial)
        initial = undefined
      } else if (type === 'DELETED') target.remove(object)
      else if (type !== 'BOOKMARK') target.put(transform(object))
      state = { phase: 'watch', from: object.metadata.resourceVersion ?? '' }
    }
    // Without the final bookmark the initial set is incomplete: storing it would report existing objects as deleted.
    if (initial) throw taskmillError('TM_KUBE_UNAVAILABLE', 'the watch ended before it had sent all objects')
    if (events === 0 && clock.monotonicNow() - startedMs < shortWatchMs)
      throw taskmillError('TM_KUBE_UNAVAILABLE', 'the watch ended at once')
  }

  /**
   * Returns how to continue. After a broken connection the watch resumes where it broke. After an answer that rejects
   * the watch itself, everything is read again.
   */
  function afterFailure(error: unknown): State {
    if (state.phase !== 'watch') return { phase: 'list' }
    const passing = hasCode(error, 'TM_KUBE_UNAVAILABLE', 'TM_KUBE_TOO_MANY_REQUESTS', 'TM_KUBE_BAD_RESPONSE', 'TM_KUBE_UNAUTHORIZED')
    // The server is older than the target, for example after a restore from a backup.
    const ahead = passing && causesOf(error).some((cause) => cause.reason === 'ResourceVersionTooLarge')
    return passing && !ahead ? state : anew()
  }

  /** Waits. If the server could not be reached, ends early as soon as any request of this client reaches it. */
  async function pause(ms: number, unreached: boolean): Promise<void> {
    using limit = deadline(clock, ms, { signal, reason: () => 'over' })
    if (limit.signal.aborted) return
    const { promise, resolve } = Promise.withResolvers<void>()
    limit.signal.addEventListener('abort', () => resolve(), { once: true })
    const end = unreached ? client.onReachable(resolve) : undefined
    await promise
    end?.()
  }

  while (!signal.aborted) {
    try {
      if (state.phase === 'list') await listPages()
      else await follow(state.phase === 'watch' ? state.from : undefined)
    } catch (error) {
      if (signal.aborted) return
      deps.onFailure?.(error)
      // An older API server answers Invalid to a streamed list. It does so at once, so no pause is needed.
      const unoffered = state.phase === 'stream' && hasCode(error, 'TM_KUBE_INVALID')
      state = afterFailure(error)
      if (unoffered) {
        streams = false
        log.debug({ reason: errorMessage(error) }, 'the API server does not stream lists, reading pages')
        continue
      }
      const details: Partial<KubeErrorDetails> = error instanceof TaskmillError ? error.details : {}
      const askedMs = hasCode(error, 'TM_KUBE_TOO_MANY_REQUESTS') ? (details.retryAfterSeconds ?? 0) * 1000 : 0
      const pauseMs = Math.max(backoff.nextMs(), askedMs)
      log.warn({ reason: errorMessage(error), next: state.phase, pauseMs: Math.round(pauseMs) }, 'cannot watch the API server, retrying')
      await pause(pauseMs, hasCode(error, 'TM_KUBE_UNAVAILABLE') && details.status === undefined)
    }
  }
}

function compact<T extends KubeObject>(object: T): T {
  const kept = withoutCopies(object)
  const { apiVersion, kind, metadata, spec, status } = kept as T & { readonly spec?: unknown; readonly status?: unknown }
  // Name, UID and version are its own.
  for (const shared of [apiVersion, kind, metadata.creationTimestamp, metadata.labels, spec, status]) shareTexts(shared, deepestShared)
  return kept
}

const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration'

/** Managed fields and kubectl's copy of the manifest are often two thirds of an object, and nothing here reads them. */
function withoutCopies<T extends KubeObject>(object: T): T {
  const { managedFields: _, annotations, ...metadata } = object.metadata
  if (annotations?.[lastApplied] === undefined)
    return { ...object, metadata: annotations === undefined ? metadata : { ...metadata, annotations } }
  const { [lastApplied]: __, ...others } = annotations
  return { ...object, metadata: { ...metadata, annotations: others } }
}

/** Shorter ones are shared already: V8 does it while it parses. */
const shortestShared = 11
const longestShared = 256
/** Values of users nest as deep as they like. */
const deepestShared = 8
const names = Object.create(null) as Readonly<Record<string, unknown>>

/**
 * Lets equal texts of many objects be one in memory: times, reasons, messages, queues, names of kinds. V8 has one copy of each text that was asked
 * for as the name of a member, for as long as anybody holds it, and its next garbage collection leads all to that.
 */
function shareTexts(value: unknown, depth: number): void {
  if (typeof value === 'string') {
    if (value.length >= shortestShared && value.length <= longestShared) void names[value]
  } else if (typeof value === 'object' && value !== null && depth > 0) {
    for (const name in value) shareTexts((value as Readonly<Record<string, unknown>>)[name], depth - 1)
  }
}

/** Growing pauses between attempts to reach the API server. */
type Backoff = {
  /** Returns the pause before the next attempt. It doubles with each call and starts over after 120 s without one. */
  nextMs(): number
}

const firstMs = 800
const capMs = 30_000
const healthyAfterMs = 120_000

/**
 * From 800 ms, doubled up to 30 s. Each pause is a random value between half of that and all of it, so that many
 * clients do not return together.
 */
function createBackoff(clock: Clock, rng: () => number): Backoff {
  let attempts = 0
  let lastMs = -Infinity
  return {
    nextMs() {
      const nowMs = clock.monotonicNow()
      if (nowMs - lastMs > healthyAfterMs) attempts = 0
      const fullMs = Math.min(firstMs * 2 ** attempts, capMs)
      attempts = Math.min(attempts + 1, 16)
      const pauseMs = fullMs * (0.5 + rng() / 2)
      lastMs = nowMs + pauseMs
      return pauseMs
    },
  }
}
