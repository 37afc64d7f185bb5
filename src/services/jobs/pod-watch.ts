import { pods, type Pod } from '../../api/index.ts'
import type { Clock } from '../../clock/index.ts'
import { errorMessage } from '../../errors/index.ts'
import type { KubeClient } from '../../kube/index.ts'
import type { Logger } from '../../observability/index.ts'
import type { PodTrouble } from '../../workloads/index.ts'

/** Pods that start normally are not worth a look. */
const patienceMs = 3_000
const paceMs = 5_000
/** For trouble that has lasted: nobody watches it anymore. */
const slowPaceMs = 30_000
const fastForMs = 60_000

export type PodWatch = {
  /** What is the matter with the pods; asked of the API server at most every 5 s. `wanting`: undefined while they are as they should be. */
  look(key: string, wanting: WantingPods | undefined, context: { readonly signal: AbortSignal; readonly log: Logger }): Promise<PodLook>
  forget(key: string): void
}

/** What has pods that are not as they should be. */
export type WantingPods = { readonly namespace: string | undefined; readonly name: string; readonly labelSelector: string }

/** `againAfterMs`: when to look again; undefined while all is well. */
export type PodLook = { readonly trouble?: PodTrouble; readonly againAfterMs?: number }

export type PodWatchDeps = {
  readonly client: Pick<KubeClient, 'list'>
  readonly clock: Clock
  /** What they say. While pods are unschedulable they are looked at quickly, however long that lasts. */
  readonly tell: (pods: readonly Pod[]) => PodTrouble
}

type Memory = { readonly sinceMs: number; lookedAtMs?: number; trouble?: PodTrouble }

/** Pods are not watched: a cluster has many, and all but those that are in trouble are of no interest. */
export function createPodWatch({ client, clock, tell }: PodWatchDeps): PodWatch {
  const memories = new Map<string, Memory>()

  const list = async (memory: Memory, wanting: WantingPods, log: Logger, signal: AbortSignal): Promise<void> => {
    memory.lookedAtMs = clock.now()
    try {
      const { namespace, labelSelector } = wanting
      const page = await client.list(pods, { namespace, labelSelector, limit: 500, resourceVersion: '0', signal })
      memory.trouble = tell(page.items)
    } catch (error) {
      if (signal.aborted) throw error
      // Nothing but words depends on it, and how quickly a pool that waits for nodes grows.
      log.warn({ of: wanting.name, error: errorMessage(error) }, 'pods could not be listed')
      delete memory.trouble
    }
  }

  return {
    async look(key, wanting, { signal, log }) {
      if (wanting === undefined) {
        memories.delete(key)
        return {}
      }
      const memory = memories.get(key) ?? { sinceMs: clock.now() }
      memories.set(key, memory)
      if (clock.now() >= dueAtMs(memory, clock.now())) await list(memory, wanting, log, signal)
      const { trouble } = memory
      return { ...(trouble === undefined ? {} : { trouble }), againAfterMs: Math.max(0, dueAtMs(memory, clock.now()) - clock.now()) }
    },
    forget: (key) => void memories.delete(key),
  }
}

function dueAtMs({ sinceMs, lookedAtMs, trouble }: Memory, nowMs: number): number {
  if (lookedAtMs === undefined) return sinceMs + patienceMs
  const isFast = nowMs - sinceMs < fastForMs || (trouble?.unschedulable ?? 0) > 0
  return lookedAtMs + (isFast ? paceMs : slowPaceMs)
}
