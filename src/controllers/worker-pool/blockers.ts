import { poolCondition } from '../../api/index.ts'
import { deploymentNameOf } from './ownership.ts'
import type { Blocker } from './status.ts'
import type { World } from './world.ts'

/** What keeps the pool from being acted upon until somebody changes something, the most telling first. */
export function blockerOf({ pool, broker, deployment, refusal }: World): Blocker | undefined {
  const target = pool.spec.targetRef
  if (deployment.kind === 'Foreign') {
    const next =
      target === undefined ? 'delete or rename it, or rename this WorkerPool' : 'target another Deployment, or delete one of the two pools'
    const message = `Deployment "${deploymentNameOf(pool)}" exists and belongs to ${deployment.owner}. Next: ${next}`
    return {
      ready: poolCondition('Ready', 'DeploymentNotOwned', message),
      standing: poolCondition('Stalled', 'DeploymentNotOwned', message),
    }
  }
  if (target !== undefined && deployment.kind === 'Missing') {
    const message = `Deployment "${target.name}" does not exist in this namespace. Next: create it, or correct spec.targetRef.name`
    return {
      ready: poolCondition('Ready', 'TargetNotFound', message),
      standing: poolCondition('Reconciling', 'WaitingForTarget', message),
    }
  }
  if (broker === undefined) {
    const message = `TaskBroker "${pool.spec.brokerRef.name}" does not exist in this namespace. Next: create it`
    return {
      ready: poolCondition('Ready', 'BrokerNotFound', message),
      standing: poolCondition('Reconciling', 'WaitingForBroker', message),
    }
  }
  switch (refusal?.kind) {
    case 'Invalid': {
      const message = `${refusal.message}. Next: correct spec.template`
      return {
        ready: poolCondition('Ready', 'TemplateInvalid', message),
        standing: poolCondition('Stalled', 'TemplateInvalid', message),
      }
    }
    case 'Forbidden': {
      const message = `the Deployment is refused: ${refusal.message}. Next: look at the namespace's quotas and at the operator's role; it is tried again`
      return {
        ready: poolCondition('Ready', 'DeploymentUnavailable', message),
        standing: poolCondition('Reconciling', 'DeploymentProgressing', message),
      }
    }
    default:
      return undefined
  }
}
