/** Which Deployment is a pool's, and whose a Deployment is. Pure. */
import type { Deployment, WorkerPool } from '../../api/index.ts'
import { annotations, labels } from '../../contract/index.ts'

type LabelSelector = Deployment['spec']['selector']

export function namespaceOf(pool: WorkerPool): string {
  return pool.metadata.namespace ?? ''
}

/** A pool with a template owns the Deployment of its own name; one with a target only scales that. */
export function deploymentNameOf(pool: WorkerPool): string {
  return pool.spec.targetRef?.name ?? pool.metadata.name
}

export function deploymentKeyOf(pool: WorkerPool): string {
  return `${namespaceOf(pool)}/${deploymentNameOf(pool)}`
}

/** The pools to look at when a Deployment changed: the one that its label names, and the one that it named before. */
export function poolsOf(...objects: readonly (Deployment | undefined)[]): readonly string[] {
  const keys = objects.flatMap((object) => {
    const name = object?.metadata.labels?.[labels.pool]
    return name === undefined ? [] : [`${object?.metadata.namespace ?? ''}/${name}`]
  })
  return [...new Set(keys)]
}

/** Who has this Deployment, when it is not this pool's to write to. `poolNamed`: the pools of its namespace. */
export function strangerOf(object: Deployment, pool: WorkerPool, poolNamed: (name: string) => WorkerPool | undefined): string | undefined {
  const controller = controllerOf(object)
  if (pool.spec.targetRef === undefined) {
    // By UID, not only by name: a pool that was created anew does not inherit.
    if (controller?.uid === pool.metadata.uid) return undefined
    return controller === undefined ? 'nobody that Taskmill knows' : `${controller.kind} "${controller.name}"`
  }
  if (controller?.kind === pool.kind) return `${controller.kind} "${controller.name}"`
  const marked = object.metadata.labels?.[labels.pool]
  if (marked === undefined || marked === pool.metadata.name) return undefined
  return poolNamed(marked)?.spec.targetRef?.name === object.metadata.name ? `WorkerPool "${marked}"` : undefined
}

/** Whether a Deployment carries what a pool of that name adds to its target. */
export function isMarkedFor(object: Deployment, poolName: string): boolean {
  return object.metadata.labels?.[labels.pool] === poolName && object.metadata.annotations?.[annotations.writtenReplicas] !== undefined
}

/** Whether it is a target that a pool of that name has left: marked, and neither created by a pool nor what the pool targets now. */
export function isLeftBy(object: Deployment, poolName: string, pool: WorkerPool | undefined): boolean {
  if (!isMarkedFor(object, poolName) || controllerOf(object)?.kind === 'WorkerPool') return false
  return pool?.spec.targetRef?.name !== object.metadata.name
}

/** Replicas that were written last, by the Deployment's own account. */
export function writtenReplicas(object: Deployment): number | undefined {
  const written = object.metadata.annotations?.[annotations.writtenReplicas]
  return written === undefined || !/^\d+$/u.test(written) ? undefined : Number(written)
}

/** A selector as kubectl and the API server take it in one line. */
export function selectorOf({ matchLabels = {}, matchExpressions = [] }: LabelSelector): string {
  const equal = Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`)
  const others = matchExpressions.map(({ key, operator, values = [] }) => {
    switch (operator) {
      case 'In':
        return `${key} in (${values.join(',')})`
      case 'NotIn':
        return `${key} notin (${values.join(',')})`
      case 'Exists':
        return key
      case 'DoesNotExist':
        return `!${key}`
    }
  })
  return [...equal, ...others].join(',')
}

function controllerOf(object: Deployment) {
  return object.metadata.ownerReferences?.find((owner) => owner.controller === true)
}
