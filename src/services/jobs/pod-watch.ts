import { pods, type Pod } from '../../api/index.ts'
import type { Clock } from '../../clock/index.ts'
import { errorMessage } from '../../errors/index.ts'
import type { KubeClient } from '../../kube/index.ts'
import type { Logger } from '../../observability/index.ts'
import type { PodTrouble } from '../../workloads/index.ts'

/** Pods that start normally are not looked at. */
const patienceMs = 3_000
const paceMs = 5_000
/** For trouble that lasts longer than `fastForMs`: people who waited for it have left. */
const slowPaceMs = 30_000
const fastForMs = 60_000

export type PodWatch = {
  /** Returns what is wrong with the pods; asks the API server at most every 5 s. `wanting` is undefined while all pods are as they should be. */
  look(key: string, wanting: WantingPods | undefined, context: { readonly signal: AbortSignal; readonly log: Logger }): Promise<PodLook>
  forget(key: string): void
}

/** The Deployment or Job that lacks running pods. */
export type WantingPods = {
  readonly namespace: string | undefined
  readonly name: string
  readonly labelSelector: string
  /** Of the Deployment or Job. */
  readonly creationTimestamp: string | undefined
}

/**
 * `isUnknown`: pods are missing, and they were not looked at yet or could not be listed, so that nothing is known of them. `againAfterMs`: when
 * to look again; undefined while all is well.
 */
export type PodLook = { readonly trouble?: PodTrouble; readonly isUnknown?: true; readonly againAfterMs?: number }

export type PodWatchDeps = {
  readonly client: Pick<KubeClient, 'list'>
  readonly clock: Clock
  /** Returns what is wrong with these pods. Unschedulable pods are looked at every 5 s, however long that lasts. */
  readonly describe: (pods: readonly Pod[], nowMs: number) => PodTrouble
  /**
   * So long a failure that is retried stays after it was seen last: the pods look well while they are tried again, which is not the end of it.
   * Default 0.
   */
  readonly calmMs?: number
}

type Memory = { readonly sinceMs: number; listedAtMs?: number; trouble?: PodTrouble; failedAtMs?: number }

/** Of a Deployment or Job whose pods were all there when it was looked at last. */
const allThere = 'AllThere'

/**
 * Looks at pods only while something is wrong with them. They are not watched: a cluster has many, and those that run well are of no interest.
 * What a process finds when it starts is not new: it looks at once at the pods of whatever is older than the patience with a start.
 */
export function createPodWatch(deps: PodWatchDeps): PodWatch {
  const { clock } = deps
  const memories = new Map<string, Memory | typeof allThere>()

  return {
    async look(key, wanting, { signal, log }) {
      const known = memories.get(key)
      const troubled = known === allThere ? undefined : known
      if (wanting === undefined) {
        const leftMs = troubled === undefined ? 0 : calmLeftMs(deps, troubled)
        if (troubled?.trouble !== undefined && leftMs > 0) return { trouble: troubled.trouble, againAfterMs: leftMs }
        memories.set(key, allThere)
        return {}
      }
      const memory: Memory = troubled ?? { sinceMs: clock.now() }
      memories.set(key, memory)
      const isOld = known === undefined && clock.now() - Date.parse(wanting.creationTimestamp ?? '') > patienceMs
      if (isOld || clock.now() >= dueAtMs(memory, clock.now())) await listPods(deps, memory, wanting, log, signal)
      const { trouble } = memory
      const againAfterMs = Math.max(0, dueAtMs(memory, clock.now()) - clock.now())
      return { ...(trouble === undefined ? { isUnknown: true } : { trouble }), againAfterMs }
    },
    forget: (key) => void memories.delete(key),
  }
}

/** How long the failure that was seen last stays. */
function calmLeftMs({ clock, calmMs = 0 }: PodWatchDeps, { failedAtMs = -Infinity }: Memory): number {
  return Math.max(0, failedAtMs + calmMs - clock.now())
}

async function listPods(
  deps: PodWatchDeps,
  memory: Memory,
  { name, namespace, labelSelector }: WantingPods,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  const { client, clock, describe } = deps
  memory.listedAtMs = clock.now()
  try {
    const page = await client.list(pods, { namespace, labelSelector, limit: 500, resourceVersion: '0', signal })
    const found = describe(page.items, clock.now())
    if (found.isRetried === true) memory.failedAtMs = clock.now()
    else if (found.words === undefined && calmLeftMs(deps, memory) > 0) return
    memory.trouble = found
  } catch (error) {
    if (signal.aborted) throw error
    // Only words depend on it, and how quickly a pool that waits for nodes grows. What was found last stays.
    log.warn({ of: name, error: errorMessage(error) }, 'could not list pods')
  }
}

function dueAtMs({ sinceMs, listedAtMs, trouble }: Memory, nowMs: number): number {
  if (listedAtMs === undefined) return sinceMs + patienceMs
  const isFast = nowMs - sinceMs < fastForMs || (trouble?.unschedulable ?? 0) > 0
  return listedAtMs + (isFast ? paceMs : slowPaceMs)
}
