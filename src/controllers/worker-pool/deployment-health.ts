import { findCondition, poolCondition, type WantedCondition } from '../../api/index.ts'
import { labels } from '../../contract/index.ts'
import type { DeploymentState } from './world.ts'

/** The Ready condition, and Reconciling or Stalled where one of them holds. */
export type Health = { readonly ready: WantedCondition; readonly standing?: WantedCondition }

/** Whether the pool's pods are there, in the Deployment's own words where it says why not. */
export function deploymentHealth(state: DeploymentState, desired: number): Health {
  if (state.kind !== 'Owned') return starting('the Deployment is being created')
  const { status, metadata } = state.object
  const ready = status?.readyReplicas ?? 0
  const lookNext = `Next: kubectl describe pods -l ${labels.pool}=${metadata.name}`

  const failure = findCondition(status?.conditions, 'ReplicaFailure')
  if (failure?.status === 'True') {
    return { ready: poolCondition('Ready', 'DeploymentUnavailable', `pods cannot be created: ${failure.message ?? failure.reason ?? ''}`) }
  }
  const progress = findCondition(status?.conditions, 'Progressing')
  if (progress?.status === 'False' && ready < desired) {
    const message = `${ready} of ${desired} pods are ready: ${progress.message ?? progress.reason ?? ''}. ${lookNext}`
    return {
      ready: poolCondition('Ready', 'DeploymentUnavailable', message),
      standing: poolCondition('Stalled', 'ProgressDeadlineExceeded', message),
    }
  }
  if (desired === 0) return { ready: poolCondition('Ready', 'ScaledToZero', 'no jobs; the next job wakes the pool') }

  const words = `${ready} of ${desired} pods are ready`
  if (ready === 0) return starting(words)
  const observed = (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0)
  const complete = observed && ready >= desired && (status?.updatedReplicas ?? 0) >= desired
  return {
    ready: poolCondition('Ready', 'DeploymentAvailable', words),
    ...(complete ? {} : { standing: poolCondition('Reconciling', 'DeploymentProgressing', words) }),
  }
}

function starting(message: string): Health {
  return {
    ready: poolCondition('Ready', 'DeploymentProgressing', message),
    standing: poolCondition('Reconciling', 'DeploymentProgressing', message),
  }
}
