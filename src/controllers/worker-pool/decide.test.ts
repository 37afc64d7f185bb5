import { describe, expect, it } from 'vitest'
import { findCondition, type WorkerPoolStatus } from '../../api/index.ts'
import { transitionEvents } from './events.ts'
import { deploymentOf, loadOf, nowMs, poolOf, scalingOf, targetPool, refusalOf, worldOf, outcomeOf } from './fixtures.ts'
import type { World } from './gather.ts'

const facts = (status: WorkerPoolStatus): Record<string, string> =>
  Object.fromEntries((status.conditions ?? []).map(({ type, status: holds, reason }) => [type, `${holds} ${reason}`]))

const owned = (replicas: number, status = {}, written?: number): World['deployment'] => ({
  kind: 'Owned',
  object: deploymentOf(replicas, status, written),
})
const manual = (replicas: number, ignoredReplicas?: number): Partial<World> => ({
  pool: poolOf({ replicas, ...scalingOf({ mode: 'Manual' }) }),
  status: { observedGeneration: 2, desiredReplicas: 4, ...(ignoredReplicas === undefined ? {} : { ignoredReplicas }) },
})
const waiting = (jobs: number, active = 0): World['signals'] => ({
  kind: 'Read',
  queues: [loadOf({ waiting: jobs, active, ...(jobs > 0 ? { oldestReadyAtMs: nowMs - 42_000 } : {}) })],
})

const invalid = {
  refusal: refusalOf('TM_KUBE_INVALID', 'Deployment.apps "email" is invalid', [
    { field: 'spec.template.spec.containers[0].image', message: 'Required value' },
  ]),
  generation: 3,
  atMs: nowMs,
}
const failure = refusalOf('TM_KUBE_UNAVAILABLE', 'etcdserver: request timed out')
const quota = refusalOf('TM_KUBE_FORBIDDEN', 'deployments.apps "email" is forbidden: exceeded quota: q')

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
      name: 'says that a queue lets no more run at once',
      world: {
        deployment: owned(1, { readyReplicas: 1, updatedReplicas: 1 }),
        signals: { kind: 'Read', queues: [loadOf({ waiting: 996, active: 4, concurrency: 4 })] },
      },
      reason: 'QueueConcurrencyLimited',
      facts: { Ready: 'True DeploymentAvailable', ScalingLimited: 'True QueueConcurrencyLimited' },
    },
    {
      name: 'is Ready while some pods are still missing, and Reconciling until they are there',
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
      name: 'says that jobs wait in a paused queue',
      world: { signals: { kind: 'Read', queues: [loadOf({ waiting: 500, paused: true })] } },
      reason: 'QueuePaused',
      facts: { Ready: 'True ScaledToZero', ScalingLimited: 'True QueuePaused' },
    },
    {
      name: 'names the missing broker',
      world: { broker: undefined },
      reason: 'BrokerNotFound',
      facts: { Ready: 'False BrokerNotFound', Reconciling: 'True WaitingForBroker' },
    },
    {
      name: 'does not touch a Deployment of another owner',
      world: { deployment: { kind: 'Foreign', owner: 'HelmRelease "x"' }, signals: waiting(100) },
      reason: 'DeploymentNotOwned',
      facts: { Ready: 'False DeploymentNotOwned', Stalled: 'True DeploymentNotOwned' },
    },
    {
      name: 'shows what the API server refused, and scales on',
      world: { deployment: owned(1, { readyReplicas: 1, updatedReplicas: 1 }), refused: invalid, signals: waiting(120) },
      scale: '1 -> 3',
      reason: 'TemplateInvalid',
      facts: { Ready: 'False TemplateInvalid', Stalled: 'True TemplateInvalid', ScalingActive: 'True ValidMetricFound' },
    },
    {
      name: 'retries while a quota prevents its Deployment',
      world: { deployment: { kind: 'Missing' }, refused: { ...invalid, refusal: quota } },
      reason: 'TemplateRefused',
      facts: { Ready: 'False TemplateRefused', Reconciling: 'True TemplateRefused' },
    },
    {
      name: 'says that the API server refuses the replicas, and does not send them again at once',
      world: {
        deployment: owned(1, { readyReplicas: 1, updatedReplicas: 1 }),
        signals: waiting(120),
        refusedReplicas: { replicas: 3, refusal: quota, atMs: nowMs },
      },
      reason: 'FailedUpdateScale',
      facts: {
        Ready: 'True DeploymentAvailable',
        Reconciling: 'True DeploymentProgressing',
        AbleToScale: 'False FailedUpdateScale',
      },
    },
    {
      name: 'lets an override scale without a broker',
      world: {
        broker: undefined,
        deployment: owned(1, { readyReplicas: 1, updatedReplicas: 1 }),
        pool: poolOf({ override: { replicas: 2, until: '2026-11-23T04:00:00Z' } }),
      },
      scale: '1 -> 2',
      reason: 'BrokerNotFound',
      facts: { Ready: 'False BrokerNotFound', Reconciling: 'True WaitingForBroker' },
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
    {
      name: 'leaves alone what people scaled to 0 past the pool',
      world: { deployment: owned(0, {}, 4), signals: waiting(100) },
      reason: 'ScalingDisabled',
      facts: { Ready: 'True ScaledToZero', ScalingActive: 'False ScalingDisabled' },
    },
    {
      name: 'wakes from a zero of its own',
      world: { deployment: owned(0, {}, 0), signals: waiting(100) },
      scale: '0 -> 2',
      reason: 'DeploymentProgressing',
      facts: { ScalingActive: 'True ValidMetricFound', Reconciling: 'True DeploymentProgressing' },
    },
    {
      name: 'scales up from a zero whose author is not recorded',
      world: { deployment: owned(0), signals: waiting(100) },
      scale: '0 -> 2',
      reason: 'DeploymentProgressing',
      facts: { ScalingActive: 'True ValidMetricFound', Reconciling: 'True DeploymentProgressing' },
    },
    {
      name: 'says in DryRun what it would do, and does not',
      world: {
        pool: poolOf(scalingOf({ mode: 'DryRun' })),
        deployment: owned(1, { readyReplicas: 1, updatedReplicas: 1 }),
        signals: waiting(100),
      },
      reason: 'DeploymentAvailable',
      facts: { Ready: 'True DeploymentAvailable', ScalingActive: 'False ScalingDisabled', ScalingLimited: 'False DesiredWithinRange' },
    },
    {
      name: 'holds in Manual what it found',
      world: { ...manual(0, 0), deployment: owned(4, { readyReplicas: 4, updatedReplicas: 4 }), signals: waiting(500) },
      reason: 'DeploymentAvailable',
      facts: { Ready: 'True DeploymentAvailable', ScalingActive: 'False ScalingDisabled' },
    },
    {
      name: 'follows in Manual what was written since',
      world: { ...manual(2, 0), deployment: owned(4, { readyReplicas: 4, updatedReplicas: 4 }), signals: waiting(500) },
      scale: '4 -> 2',
      reason: 'DeploymentAvailable',
      facts: { Ready: 'True DeploymentAvailable', ScalingActive: 'False ScalingDisabled' },
    },
    {
      name: 'follows in Manual from then on, also back to the number that was ignored',
      world: { ...manual(0), deployment: owned(4, { readyReplicas: 4, updatedReplicas: 4 }) },
      scale: '4 -> 0',
      reason: 'ScaledToZero',
      facts: { Ready: 'True ScaledToZero', ScalingActive: 'False ScalingDisabled' },
    },
    {
      name: 'creates in Manual again what was deleted, as it was',
      world: { ...manual(0, 0), deployment: { kind: 'Missing' } },
      scale: '0 -> 4',
      reason: 'DeploymentProgressing',
      facts: { Ready: 'False DeploymentProgressing', Reconciling: 'True DeploymentProgressing' },
    },
    {
      name: 'has in Manual no limits but those of people',
      world: { ...manual(50), deployment: owned(4, { readyReplicas: 4, updatedReplicas: 4 }) },
      scale: '4 -> 50',
      reason: 'DeploymentAvailable',
      facts: { Ready: 'True DeploymentAvailable', Reconciling: 'True DeploymentProgressing' },
    },
    {
      name: 'leaves a zero by hand alone in Manual',
      world: { ...manual(3), deployment: owned(0, {}, 3) },
      reason: 'ScalingDisabled',
      facts: { ScalingActive: 'False ScalingDisabled' },
    },
    {
      name: 'ends a zero by hand with another number for the pool',
      world: { ...manual(2), deployment: owned(0, {}, 3) },
      scale: '0 -> 2',
      reason: 'DeploymentProgressing',
      facts: { ScalingActive: 'False ScalingDisabled', Reconciling: 'True DeploymentProgressing' },
    },
    {
      name: 'wakes one replica for orphaned jobs',
      world: { signals: { kind: 'Read', queues: [loadOf({ active: 900, orphaned: 900 })] } },
      scale: '0 -> 1',
      reason: 'DeploymentProgressing',
      facts: { ScalingActive: 'True ValidMetricFound', Reconciling: 'True DeploymentProgressing' },
    },
    {
      name: 'holds the replicas while a Secret of the broker cannot be used',
      world: {
        deployment: owned(4, { readyReplicas: 4, updatedReplicas: 4 }),
        signals: { kind: 'Blocked', message: 'Secret "x" does not exist' },
      },
      reason: 'BrokerNotReady',
      facts: { Ready: 'False BrokerNotReady', Reconciling: 'True WaitingForBroker', ScalingActive: 'False FailedGetQueueMetrics' },
    },
    {
      name: 'waits for its target',
      world: { pool: targetPool(), deployment: { kind: 'Missing' } },
      reason: 'TargetNotFound',
      facts: { Ready: 'False TargetNotFound', Reconciling: 'True WaitingForTarget' },
    },
    {
      name: 'adds nothing while pods wait for a node',
      world: {
        deployment: owned(3, { readyReplicas: 1, updatedReplicas: 3 }),
        signals: waiting(400),
        trouble: { unschedulable: 2, unschedulableWords: '2 of 3 pods Pending: Insufficient memory', words: 'pod p: Unschedulable' },
      },
      reason: 'UnschedulablePods',
      facts: { Ready: 'True DeploymentAvailable', ScalingLimited: 'True UnschedulablePods', Reconciling: 'True DeploymentProgressing' },
    },
    {
      name: 'says why no pod works',
      world: {
        deployment: owned(3, { updatedReplicas: 3 }),
        signals: waiting(150),
        trouble: { unschedulable: 0, words: 'pod p, container worker: CrashLoopBackOff. Next: look' },
      },
      reason: 'DeploymentUnavailable',
      facts: { Ready: 'False DeploymentUnavailable', Reconciling: 'True DeploymentProgressing' },
    },
  ]

  it.each(rows)('$name', (row) => {
    const plan = outcomeOf(worldOf(row.world))
    expect(plan.scale === undefined ? undefined : `${plan.scale.from} -> ${plan.scale.to}`).toBe(row.scale)
    expect(plan.status.reason).toBe(row.reason)
    expect(facts(plan.status)).toMatchObject(row.facts)
    const standing = Object.keys(facts(plan.status)).filter((type) => type === 'Reconciling' || type === 'Stalled')
    expect(standing).toEqual(Object.keys(row.facts).filter((type) => type === 'Reconciling' || type === 'Stalled'))
  })

  it('fills the columns', () => {
    const { status } = outcomeOf(
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

  it('says in words what DryRun, Manual and people do', () => {
    const decided = (world: Partial<World>) => outcomeOf(worldOf(world)).status.decision
    const ready = { readyReplicas: 4, updatedReplicas: 4 }
    expect(decided({ pool: poolOf(scalingOf({ mode: 'DryRun' })), deployment: owned(1), signals: waiting(100) })).toBe(
      'DryRun, would set 2 replicas: 100 jobs (100 waiting, 0 running) need 2 at 50 per replica. Now 1.',
    )
    expect(decided({ ...manual(0, 0), deployment: owned(4, ready), signals: waiting(100) })).toBe(
      '4 replicas: the number when Manual began, kept until a user sets another one (kubectl scale workerpool email --replicas=N). ' +
        'The queues need 4 replicas: 100 jobs (100 waiting, 0 running) need 2 at 50 per replica; kept until 2026-11-23T03:01:00Z by the scale-down window of 60 s.',
    )
    expect(decided({ deployment: owned(0, {}, 4) })).toMatch(
      /^0 replicas: someone scaled Deployment "email" to 0 \(Taskmill last wrote 4\)/u,
    )
    const { scale } = outcomeOf(worldOf({ deployment: owned(2, {}, 4), signals: waiting(500) }))
    expect(scale?.because).toMatch(/^someone else wrote 2, Taskmill wrote 4; 500 jobs/u)
  })

  it('shows what the API server warned of', () => {
    const { status } = outcomeOf(
      worldOf({ warnings: ['would violate PodSecurity'], deployment: owned(1, { readyReplicas: 1, updatedReplicas: 1 }) }),
    )
    expect(status.conditions?.[0]?.message).toBe('1 of 1 pod is ready. The API server warns: would violate PodSecurity')
  })

  it('says what is wrong with a refused template, and how the former one does meanwhile', () => {
    const { status } = outcomeOf(
      worldOf({ refused: invalid, deployment: owned(2, { readyReplicas: 2, updatedReplicas: 2 }), signals: waiting(100) }),
    )
    const problem = 'spec.template.spec.containers[0].image: Required value'
    const message = `template of generation 3 refused: ${problem}. Next: correct spec.template.spec.containers[0].image`
    expect(findCondition(status.conditions, 'Stalled')?.message).toBe(message)
    expect(findCondition(status.conditions, 'Ready')?.message).toBe(
      `${message}. Meanwhile the former template is in use: 2 of 2 pods are ready`,
    )
    expect(status.decision).toBe(
      `2 replicas: 100 jobs (100 waiting, 0 running) need 2 at 50 per replica. Template of generation 3 refused: ${problem}.`,
    )
    expect(status).toMatchObject({ ready: '2/2', desiredReplicas: 2, backlog: 100 })
  })

  it('says how many jobs wait while the first template is refused', () => {
    const { status, scale } = outcomeOf(worldOf({ refused: invalid, deployment: { kind: 'Missing' }, signals: waiting(550) }))
    expect(findCondition(status.conditions, 'Ready')?.message).toContain('There is no Deployment yet, and 550 jobs wait')
    expect(status).toMatchObject({ ready: '0/10', desiredReplicas: 10, backlog: 550 })
    expect(status.decision).toMatch(/^10 replicas: 550 jobs .* Template of generation 3 refused: /u)
    expect(scale).toMatchObject({ from: 0, to: 10 })
  })

  it('tries a refused template again when the answer may have changed', () => {
    const deploymentAt = (refusal: typeof quota, atMs: number) =>
      outcomeOf(worldOf({ refused: { refusal, generation: 3, atMs } })).deployment
    expect(deploymentAt(invalid.refusal, nowMs - 3_600_000)).toBeUndefined()
    expect(deploymentAt(quota, nowMs - 29_999)).toBeUndefined()
    expect(deploymentAt(quota, nowMs - 30_000)).toBeDefined()
    expect(deploymentAt(failure, nowMs - 4_999)).toBeUndefined()
    expect(deploymentAt(failure, nowMs - 5_000)).toBeDefined()
    expect(deploymentAt({ ...failure, retryAfterMs: 9_000 }, nowMs - 8_999)).toBeUndefined()
  })

  it('says that the API server has failed, and blames no template', () => {
    const refused = { refusal: failure, generation: 3, atMs: nowMs }
    const message =
      'the API server failed to take the template of generation 3, and the operator retries: etcdserver: request timed out. ' +
      'Next: check the API server if this lasts'
    const there = outcomeOf(
      worldOf({ refused, deployment: owned(2, { readyReplicas: 2, updatedReplicas: 2 }), signals: waiting(100) }),
    ).status
    expect(facts(there)).toMatchObject({ Ready: 'True DeploymentAvailable', Reconciling: 'True ApiServerFailed' })
    expect(findCondition(there.conditions, 'Reconciling')?.message).toBe(message)
    expect([there.reason, there.decision]).toEqual([
      'DeploymentAvailable',
      '2 replicas: 100 jobs (100 waiting, 0 running) need 2 at 50 per replica. ' +
        'Template of generation 3 not applied, the API server failed: etcdserver: request timed out.',
    ])
    const missing = outcomeOf(worldOf({ refused, deployment: { kind: 'Missing' } })).status
    expect(facts(missing)).toMatchObject({ Ready: 'False ApiServerFailed', Reconciling: 'True ApiServerFailed' })
    const events = (before: WorkerPoolStatus | undefined) => transitionEvents(before, missing).map(({ reason }) => reason)
    expect([events(undefined), events(there)]).toEqual([['ApiServerFailed'], []])
  })

  it('says that the API server has failed to take a number of replicas', () => {
    const refusedReplicas = { replicas: 3, refusal: failure, atMs: nowMs }
    const { status } = outcomeOf(worldOf({ refusedReplicas, deployment: owned(1, { readyReplicas: 1 }), signals: waiting(120) }))
    expect(findCondition(status.conditions, 'AbleToScale')?.message).toMatch(/^the API server failed to take 3 replicas: etcdserver/u)
  })

  it('rounds the backlog to three digits', () => {
    expect(outcomeOf(worldOf({ signals: waiting(123_456) })).status.backlog).toBe(123_000)
    expect(outcomeOf(worldOf({ signals: waiting(999) })).status.backlog).toBe(999)
  })

  it('keeps what was known while the queues cannot be read', () => {
    const status = { observedGeneration: 3, busy: '3/4', backlog: 9, oldestJobTime: '2026-11-23T02:00:00Z' }
    const plan = outcomeOf(worldOf({ status, deployment: owned(1), signals: { kind: 'Unreadable', message: 'gone', sinceMs: nowMs } }))
    expect(plan.status).toMatchObject({ busy: '3/4', backlog: 9, oldestJobTime: '2026-11-23T02:00:00Z' })
  })

  it('asks to be asked again when the window ends', () => {
    const plan = outcomeOf(worldOf({ deployment: owned(4, { readyReplicas: 4 }) }))
    expect(plan.againAfterMs).toBe(60_000)
  })
})
