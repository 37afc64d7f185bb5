import type { Deployment } from '../../api/index.ts'
import type { WantingPods } from '../../services/jobs/index.ts'
import type { PodAdvice } from '../../workloads/index.ts'
import { selectorOf } from './ownership.ts'

/** What the author of a pool can do about its pods. */
export const podAdvice: PodAdvice = { outOfMemory: "raise the container's limits.memory or lower spec.concurrency" }

/** The pods of a Deployment that has not all that it wants; undefined: all is well. */
export function wantingPods({ metadata, spec, status }: Deployment): WantingPods | undefined {
  const replicas = spec.replicas ?? 1
  const isObserved = (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0)
  const isComplete = isObserved && (status?.readyReplicas ?? 0) >= replicas && (status?.updatedReplicas ?? 0) >= replicas
  if (replicas === 0 || isComplete) return undefined
  return { namespace: metadata.namespace, name: metadata.name, labelSelector: selectorOf(spec.selector) }
}
