/** The replicas that Deployments ask for, as one watch sees them. */
import { deployments, type Deployment } from '../../src/api/index.ts'
import { systemClock } from '../../src/clock/index.ts'
import { createInformer, type KubeClient } from '../../src/kube/index.ts'
import { silentLogger } from '../../src/observability/index.ts'

export type ReplicaWatch = {
  /** Resolves as soon as the Deployment is seen in a state that this holds for. */
  until(name: string, holds: (deployment: Deployment) => boolean): Promise<void>
  /** Every number of replicas that the Deployment is seen to ask for, in order: the one of now, if it is known, and what follows. */
  record(name: string): readonly number[]
}

/** Follows the Deployments of a namespace until the signal aborts. */
export function watchReplicas(client: KubeClient, namespace: string, signal: AbortSignal): ReplicaWatch {
  const informer = createInformer<Deployment>({
    client,
    resource: deployments,
    namespace,
    clock: systemClock,
    log: silentLogger,
    rng: Math.random,
  })
  informer.start(signal)
  return {
    until: (name, holds) =>
      new Promise((resolve) => {
        const isReached = (): boolean => {
          const object = informer.get(`${namespace}/${name}`)
          return object !== undefined && holds(object)
        }
        if (isReached()) return resolve()
        const end = informer.onChange(() => {
          if (!isReached()) return
          end()
          resolve()
        })
      }),
    record(name) {
      const seen: number[] = []
      const note = (object: Deployment | undefined): void => {
        const replicas = object?.spec.replicas
        if (replicas !== undefined && seen.at(-1) !== replicas) seen.push(replicas)
      }
      note(informer.get(`${namespace}/${name}`))
      informer.onChange((key, object) => {
        if (key === `${namespace}/${name}`) note(object)
      })
      return seen
    },
  }
}
