import { findCondition, poolCondition, type WantedCondition } from '../../api/index.ts'
import { selectorOf } from './ownership.ts'
import type { World } from './world.ts'

/** The Ready condition, and Reconciling or Stalled where one of them holds. */
export type Health = { readonly ready: WantedCondition; readonly standing?: WantedCondition }

/** Whether the pool's pods are there; why not, in the words of who knows best: container, scheduler, Deployment. */
export function deploymentHealth({ deployment, trouble, warnings }: World, desired: number, atZero: string): Health {
  const warned = warnings.length === 0 ? '' : `. The API server warns: ${warnings.join('; ')}`
  if (deployment.kind !== 'Owned') return starting('the Deployment is being created')
  const { status, metadata, spec } = deployment.object
  const ready = status?.readyReplicas ?? 0
  const words = `${ready} of ${desired} ${desired === 1 ? 'pod is' : 'pods are'} ready`
  const troubled = trouble?.words === undefined ? undefined : `${words}: ${trouble.words}${warned}`

  const failure = findCondition(status?.conditions, 'ReplicaFailure')
  if (failure?.status === 'True') {
    const message = `pods cannot be created: ${failure.message ?? failure.reason ?? ''}${warned}`
    return { ready: poolCondition('Ready', 'DeploymentUnavailable', message) }
  }
  const progress = findCondition(status?.conditions, 'Progressing')
  if (progress?.status === 'False' && ready < desired) {
    const lookNext = `Next: kubectl describe pods -l '${selectorOf(spec.selector)}'`
    const message = troubled ?? `${words}: ${progress.message ?? progress.reason ?? ''}${warned}. ${lookNext}`
    return {
      ready: poolCondition('Ready', 'DeploymentUnavailable', message),
      standing: poolCondition('Stalled', 'ProgressDeadlineExceeded', message),
    }
  }
  if (desired === 0) return { ready: poolCondition('Ready', 'ScaledToZero', `${atZero}${warned}`) }

  if (ready === 0 && troubled !== undefined) {
    return {
      ready: poolCondition('Ready', 'DeploymentUnavailable', troubled),
      standing: poolCondition('Reconciling', 'DeploymentProgressing', troubled),
    }
  }
  if (ready === 0) return starting(`${words}${warned}`)
  const observed = (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0)
  const complete = observed && ready >= desired && (status?.updatedReplicas ?? 0) >= desired
  const message = complete ? `${words}${warned}` : (troubled ?? `${words}${warned}`)
  return {
    ready: poolCondition('Ready', 'DeploymentAvailable', message),
    ...(complete ? {} : { standing: poolCondition('Reconciling', 'DeploymentProgressing', message) }),
  }
}

function starting(message: string): Health {
  return {
    ready: poolCondition('Ready', 'DeploymentProgressing', message),
    standing: poolCondition('Reconciling', 'DeploymentProgressing', message),
  }
}
