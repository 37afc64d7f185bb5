import { pods, type Deployment } from '../../api/index.ts'
import type { Clock } from '../../clock/index.ts'
import { errorMessage } from '../../errors/index.ts'
import type { KubeClient } from '../../kube/index.ts'
import type { Logger } from '../../observability/index.ts'
import { selectorOf } from './ownership.ts'
import { troubleOf, type PodTrouble } from './pod-trouble.ts'

/** Pods that start normally are not worth a look. */
const patienceMs = 3_000
const paceMs = 5_000
/** For trouble that has lasted: nobody watches it anymore. */
const slowPaceMs = 30_000
const fastForMs = 60_000

export type PodWatch = {
  /** What is the matter with the pods; asked of the API server at most every 5 s, and only while the Deployment is not as it should be. */
  look(key: string, deployment: Deployment | undefined, context: { readonly signal: AbortSignal; readonly log: Logger }): Promise<Look>
  forget(key: string): void
}

/** `againAfterMs`: when to look again; undefined while all is well. */
export type Look = { readonly trouble?: PodTrouble; readonly againAfterMs?: number }

type Memory = { readonly sinceMs: number; lookedAtMs?: number; trouble?: PodTrouble }

/** Pods are not watched: a cluster has many, and all but those of a pool in trouble are of no interest. */
export function createPodWatch({ client, clock }: { readonly client: Pick<KubeClient, 'list'>; readonly clock: Clock }): PodWatch {
  const memories = new Map<string, Memory>()

  const list = async (memory: Memory, { metadata, spec }: Deployment, log: Logger, signal: AbortSignal): Promise<void> => {
    memory.lookedAtMs = clock.now()
    try {
      const page = await client.list(pods, {
        namespace: metadata.namespace,
        labelSelector: selectorOf(spec.selector),
        limit: 500,
        resourceVersion: '0',
        signal,
      })
      memory.trouble = troubleOf(page.items)
    } catch (error) {
      if (signal.aborted) throw error
      // Scaling does not depend on it.
      log.warn({ deployment: metadata.name, error: errorMessage(error) }, 'the pods of a pool could not be listed')
      delete memory.trouble
    }
  }

  return {
    async look(key, deployment, { signal, log }) {
      if (deployment === undefined || isAsWanted(deployment)) {
        memories.delete(key)
        return {}
      }
      const memory = memories.get(key) ?? { sinceMs: clock.now() }
      memories.set(key, memory)
      if (clock.now() >= dueAtMs(memory, clock.now())) await list(memory, deployment, log, signal)
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

function isAsWanted({ metadata, spec, status }: Deployment): boolean {
  const replicas = spec.replicas ?? 1
  if (replicas === 0) return true
  const isObserved = (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0)
  return isObserved && (status?.readyReplicas ?? 0) >= replicas && (status?.updatedReplicas ?? 0) >= replicas
}
