import { describe, expect, it } from 'vitest'
import type { WorkerPoolStatus } from '../../api/index.ts'
import { decide } from './decide.ts'
import { deploymentOf, loadOf, nowMs, worldOf } from './fixtures.ts'
import type { World } from './world.ts'

const facts = (status: WorkerPoolStatus): Record<string, string> =>
  Object.fromEntries((status.conditions ?? []).map(({ type, status: holds, reason }) => [type, `${holds} ${reason}`]))

const owned = (replicas: number, status = {}): World['deployment'] => ({ kind: 'Owned', object: deploymentOf(replicas, status) })
const waiting = (jobs: number, active = 0): World['signals'] => ({
  kind: 'Read',
  queues: [loadOf({ waiting: jobs, active, ...(jobs > 0 ? { oldestReadyAtMs: nowMs - 42_000 } : {}) })],
})

describe('decide', () => {
  const rows: readonly { name: string; world: Partial<World>; scale?: string; reason: string; facts: Record<string, string> }[] = [
    {
      name: 'rests at zero',
      world: {},
      reason: 'ScaledToZero',
      facts: {
        Ready: 'True ScaledToZero',
        ScalingActive: 'True ValidMetricFound',
        AbleToScale: 'True ReadyForNewScale',
        ScalingLimited: 'False DesiredWithinRange',
      },
    },
    {
      name: 'wakes on the first job',
      world: { signals: waiting(1) },
      scale: '0 -> 1',
      reason: 'DeploymentProgressing',
      facts: { Ready: 'False DeploymentProgressing', Reconciling: 'True DeploymentProgressing' },
    },
    {
      name: 'creates a missing Deployment with the replicas that are wanted',
      world: { deployment: { kind: 'Missing' }, signals: waiting(120) },
      scale: '0 -> 3',
      reason: 'DeploymentProgressing',
      facts: { Ready: 'False DeploymentProgressing', Reconciling: 'True DeploymentProgressing' },
    },
    {
      name: 'says that maxReplicas limits',
      world: { deployment: owned(10, { readyReplicas: 10, updatedReplicas: 10 }), signals: waiting(2000, 40) },
      reason: 'TooManyReplicas',
      facts: { Ready: 'True DeploymentAvailable', ScalingLimited: 'True TooManyReplicas' },
    },
    {
      name: 'is Ready while some pods are still missing, and says that it goes on',
      world: { deployment: owned(7, { readyReplicas: 5, updatedReplicas: 7 }), signals: waiting(350) },
      reason: 'DeploymentAvailable',
      facts: { Ready: 'True DeploymentAvailable', Reconciling: 'True DeploymentProgressing' },
    },
    {
      name: 'keeps the replicas within the scale-down window',
      world: { deployment: owned(4, { readyReplicas: 4, updatedReplicas: 4 }), signals: waiting(0) },
      reason: 'ScaleDownStabilized',
      facts: { AbleToScale: 'True ScaleDownStabilized' },
    },
    {
      name: 'holds the replicas while the queues cannot be read',
      world: {
        deployment: owned(4, { readyReplicas: 4, updatedReplicas: 4 }),
        signals: { kind: 'Unreadable', message: 'connect ECONNREFUSED', sinceMs: nowMs },
      },
      reason: 'BrokerUnreachable',
      facts: { Ready: 'False BrokerUnreachable', Reconciling: 'True WaitingForBroker', ScalingActive: 'False FailedGetQueueMetrics' },
    },
    {
      name: 'waits for the first reading without touching the replicas',
      world: { deployment: owned(4), signals: { kind: 'Pending' } },
      reason: 'WaitingForQueueMetrics',
      facts: {
        Ready: 'Unknown WaitingForQueueMetrics',
        Reconciling: 'True WaitingForQueueMetrics',
        ScalingActive: 'Unknown WaitingForQueueMetrics',
      },
    },
    {
      name: 'names the missing broker',
      world: { broker: undefined },
      reason: 'BrokerNotFound',
      facts: { Ready: 'False BrokerNotFound', Reconciling: 'True WaitingForBroker' },
    },
    {
      name: 'leaves a Deployment of somebody else alone',
      world: { deployment: { kind: 'Foreign', owner: 'HelmRelease "x"' }, signals: waiting(100) },
      reason: 'DeploymentNotOwned',
      facts: { Ready: 'False DeploymentNotOwned', Stalled: 'True DeploymentNotOwned' },
    },
    {
      name: 'shows what the API server refused',
      world: { refusal: { kind: 'Invalid', message: 'spec.template.spec.containers[0].image: Required value' } },
      reason: 'TemplateInvalid',
      facts: { Ready: 'False TemplateInvalid', Stalled: 'True TemplateInvalid' },
    },
    {
      name: 'goes on trying where a quota is in the way',
      world: { deployment: { kind: 'Missing' }, refusal: { kind: 'Forbidden', message: 'exceeded quota: deployments' } },
      reason: 'DeploymentUnavailable',
      facts: { Ready: 'False DeploymentUnavailable', Reconciling: 'True DeploymentProgressing' },
    },
    {
      name: 'shows why pods cannot be created',
      world: {
        deployment: owned(3, { conditions: [{ type: 'ReplicaFailure', status: 'True', message: 'violates PodSecurity "restricted"' }] }),
        signals: waiting(150),
      },
      reason: 'DeploymentUnavailable',
      facts: { Ready: 'False DeploymentUnavailable' },
    },
    {
      name: 'stalls on a rollout that does not get on',
      world: {
        deployment: owned(3, { readyReplicas: 1, conditions: [{ type: 'Progressing', status: 'False', message: 'timed out' }] }),
        signals: waiting(150),
      },
      reason: 'DeploymentUnavailable',
      facts: { Ready: 'False DeploymentUnavailable', Stalled: 'True ProgressDeadlineExceeded' },
    },
  ]

  it.each(rows)('$name', (row) => {
    const plan = decide(worldOf(row.world))
    expect(plan.scale === undefined ? undefined : `${plan.scale.from} -> ${plan.scale.to}`).toBe(row.scale)
    expect(plan.status.reason).toBe(row.reason)
    expect(facts(plan.status)).toMatchObject(row.facts)
    const standing = Object.keys(facts(plan.status)).filter((type) => type === 'Reconciling' || type === 'Stalled')
    expect(standing).toEqual(Object.keys(row.facts).filter((type) => type === 'Reconciling' || type === 'Stalled'))
  })

  it('fills the columns', () => {
    const { status } = decide(
      worldOf({ deployment: owned(7, { replicas: 7, readyReplicas: 5, updatedReplicas: 7 }), signals: waiting(312, 18) }),
    )
    expect(status).toMatchObject({
      observedGeneration: 3,
      ready: '5/7',
      desiredReplicas: 7,
      busy: '18/20',
      backlog: 312,
      oldestJobTime: '2026-11-23T02:59:18Z',
      decision: '7 replicas: 330 jobs (312 waiting, 18 running) need 7 at 50 per replica.',
    })
  })

  it('rounds the backlog to three digits', () => {
    expect(decide(worldOf({ signals: waiting(123_456) })).status.backlog).toBe(123_000)
    expect(decide(worldOf({ signals: waiting(999) })).status.backlog).toBe(999)
  })

  it('keeps what was known while the queues cannot be read', () => {
    const status = { observedGeneration: 3, busy: '3/4', backlog: 9, oldestJobTime: '2026-11-23T02:00:00Z' }
    const plan = decide(worldOf({ status, deployment: owned(1), signals: { kind: 'Unreadable', message: 'gone', sinceMs: nowMs } }))
    expect(plan.status).toMatchObject({ busy: '3/4', backlog: 9, oldestJobTime: '2026-11-23T02:00:00Z' })
  })

  it('asks to be asked again when the window ends', () => {
    const plan = decide(worldOf({ deployment: owned(4, { readyReplicas: 4 }) }))
    expect(plan.againAfterMs).toBe(60_000)
  })
})
