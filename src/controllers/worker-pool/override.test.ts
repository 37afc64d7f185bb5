import { describe, expect, it } from 'vitest'
import { findCondition, type WorkerPool, type WorkerPoolStatus } from '../../api/index.ts'
import { transitionEvents } from './events.ts'
import { deploymentOf, loadOf, nowMs, poolOf, scalingOf, worldOf, outcomeOf } from './fixtures.ts'
import type { World } from './gather.ts'

type Override = NonNullable<WorkerPool['spec']['override']>

const inAnHour = '2026-11-23T04:00:00Z'
const anHourAgo = '2026-11-23T02:00:00Z'
const by = { by: 'oncall', reason: 'incident 4711' }
const waiting = (jobs: number): World['signals'] => ({ kind: 'Read', queues: [loadOf({ waiting: jobs })] })
const ready = (replicas: number) => ({ readyReplicas: replicas, updatedReplicas: replicas })
const owned = (replicas: number, written = replicas): World['deployment'] => ({
  kind: 'Owned',
  object: deploymentOf(replicas, ready(replicas), written),
})

type Row = {
  readonly name: string
  readonly override: Omit<Override, 'until'> & { readonly until?: string }
  readonly mode?: WorkerPool['spec']['scaling']['mode']
  readonly replicas?: number
  readonly status?: Partial<WorkerPoolStatus>
  readonly deployment: World['deployment']
  readonly jobs?: number
  readonly want: { readonly scale?: string; readonly reason: string; readonly before?: number; readonly againAfterMs?: number }
}

const planOf = ({ override, mode = 'Auto', replicas = 0, status, deployment, jobs = 0 }: Omit<Row, 'name' | 'want'>) =>
  outcomeOf(
    worldOf({
      pool: poolOf({
        replicas,
        ...scalingOf({ mode, behavior: { scaleDown: { stabilizationWindowSeconds: 0 } } }),
        override: { until: inAnHour, ...override },
      }),
      status: { observedGeneration: 2, ...status },
      deployment,
      signals: waiting(jobs),
    }),
  )

describe('an override of a pool', () => {
  const hour = 3_600_000
  const rows: readonly Row[] = [
    {
      name: 'says how many there are, whatever the queues ask for',
      override: { replicas: 15 },
      deployment: owned(1),
      jobs: 50,
      want: { scale: '1 -> 15', reason: 'OverrideActive', againAfterMs: hour },
    },
    {
      name: 'suspends a pool with jobs',
      override: { suspend: true },
      deployment: owned(3),
      jobs: 500,
      want: { scale: '3 -> 0', reason: 'OverrideActive', againAfterMs: hour },
    },
    {
      name: 'has no effect after its end',
      override: { suspend: true, until: anHourAgo },
      deployment: owned(0),
      jobs: 100,
      want: { scale: '0 -> 2', reason: 'DeploymentProgressing' },
    },
    {
      name: 'wakes a pool that people scaled to zero before',
      override: { replicas: 2 },
      deployment: owned(0, 3),
      want: { scale: '0 -> 2', reason: 'DeploymentProgressing', againAfterMs: hour },
    },
    {
      name: 'leaves a zero alone that a user wrote during the override',
      override: { replicas: 2 },
      deployment: owned(0, 2),
      want: { reason: 'ScalingDisabled', againAfterMs: hour },
    },
    {
      name: 'does not make a zero by hand its own by suspending',
      override: { suspend: true },
      deployment: owned(0, 3),
      want: { reason: 'ScalingDisabled', againAfterMs: hour },
    },
    {
      name: 'lets the queues decide for a while',
      override: { mode: 'Auto' },
      mode: 'Manual',
      replicas: 1,
      status: {},
      deployment: owned(1),
      jobs: 200,
      want: { scale: '1 -> 4', reason: 'OverrideActive', againAfterMs: hour },
    },
    {
      name: 'holds what is there with mode Manual',
      override: { mode: 'Manual' },
      status: { ignoredReplicas: 0 },
      deployment: owned(2),
      jobs: 500,
      want: { reason: 'OverrideActive', againAfterMs: hour },
    },
    {
      name: 'notes what Manual found before it changes that',
      override: { replicas: 9 },
      mode: 'Manual',
      replicas: 0,
      status: { ignoredReplicas: 0 },
      deployment: owned(4),
      want: { reason: 'OverrideActive', before: 4, againAfterMs: 0 },
    },
    {
      name: 'then changes it',
      override: { replicas: 9 },
      mode: 'Manual',
      replicas: 0,
      status: { ignoredReplicas: 0, replicasBeforeOverride: 4 },
      deployment: owned(4),
      want: { scale: '4 -> 9', reason: 'OverrideActive', before: 4, againAfterMs: hour },
    },
    {
      name: 'gives back what Manual had found',
      override: { replicas: 9, until: anHourAgo },
      mode: 'Manual',
      replicas: 0,
      status: { ignoredReplicas: 0, replicasBeforeOverride: 4 },
      deployment: owned(9),
      want: { scale: '9 -> 4', reason: 'DeploymentAvailable', before: 4 },
    },
    {
      name: 'is forgotten by Manual once that is there again',
      override: { replicas: 9, until: anHourAgo },
      mode: 'Manual',
      replicas: 0,
      status: { ignoredReplicas: 0, replicasBeforeOverride: 4 },
      deployment: owned(4),
      want: { reason: 'DeploymentAvailable' },
    },
    {
      name: 'gives way to the number that people wrote for Manual',
      override: { replicas: 9, until: anHourAgo },
      mode: 'Manual',
      replicas: 3,
      status: {},
      deployment: owned(9),
      want: { scale: '9 -> 3', reason: 'DeploymentAvailable' },
    },
    {
      name: 'moves a pool in DryRun',
      override: { replicas: 9 },
      mode: 'DryRun',
      status: { replicasBeforeOverride: 2 },
      deployment: owned(2),
      want: { scale: '2 -> 9', reason: 'OverrideActive', before: 2, againAfterMs: hour },
    },
    {
      name: 'gives DryRun back what was there',
      override: { replicas: 9, until: anHourAgo },
      mode: 'DryRun',
      status: { replicasBeforeOverride: 2 },
      deployment: owned(9),
      want: { scale: '9 -> 2', reason: 'DeploymentAvailable', before: 2 },
    },
  ]
  it.each(rows)('$name', ({ want, ...row }) => {
    const { scale, status, againAfterMs } = planOf(row)
    const told = {
      ...(scale === undefined ? {} : { scale: `${scale.from} -> ${scale.to}` }),
      reason: status.reason,
      ...(status.replicasBeforeOverride === undefined ? {} : { before: status.replicasBeforeOverride }),
      ...(againAfterMs === undefined ? {} : { againAfterMs }),
    }
    expect(told).toEqual(want)
  })

  it('names the effect, the end, the author and the reason of an override, and the replicas that the queues ask for', () => {
    const { status, scale } = planOf({ override: { replicas: 5, ...by }, deployment: owned(1), jobs: 100 })
    const words = '5 replicas until 2026-11-23T04:00:00Z by oncall: "incident 4711"'
    expect(findCondition(status.conditions, 'Overridden')).toMatchObject({ status: 'True', reason: 'OverrideActive', message: words })
    expect(findCondition(status.conditions, 'ScalingActive')).toMatchObject({
      status: 'False',
      reason: 'ScalingDisabled',
      message: `spec.override: ${words}. Next: taskmill resume wp/email ends it earlier`,
    })
    expect(findCondition(status.conditions, 'ScalingLimited')).toBeUndefined()
    expect(status.decision).toBe(
      `5 replicas: spec.override, ${words}. The queues need 2 replicas: 100 jobs (100 waiting, 0 running) need 2 at 50 per replica.`,
    )
    expect(scale?.because).toBe(`spec.override, ${words}.`)
  })

  it('is an Event when it begins, becomes another one, and ends', () => {
    const told = (before: WorkerPoolStatus | undefined, after: WorkerPoolStatus) =>
      transitionEvents(before, after).map(({ reason, note }) => `${reason} ${note}`)
    const without = planOf({ override: { replicas: 5, until: anHourAgo }, deployment: owned(1) }).status
    const five = planOf({ override: { replicas: 5, ...by }, deployment: owned(1) }).status
    const zero = planOf({ override: { suspend: true, ...by }, deployment: owned(1) }).status
    expect(told(without, five)).toEqual(['OverrideStarted 5 replicas until 2026-11-23T04:00:00Z by oncall: "incident 4711"'])
    expect(told(five, five)).toEqual([])
    expect(told(five, zero)).toEqual(['OverrideStarted suspended until 2026-11-23T04:00:00Z by oncall: "incident 4711"'])
    expect(told(zero, without)).toEqual(['OverrideEnded over: suspended until 2026-11-23T04:00:00Z by oncall: "incident 4711"'])
  })

  it('is not forgotten while the broker is missing', () => {
    const world = worldOf({ pool: poolOf({ override: { until: inAnHour, replicas: 5 } }), broker: undefined })
    expect(findCondition(outcomeOf(world).status.conditions, 'Overridden')?.status).toBe('True')
    expect(nowMs).toBeLessThan(Date.parse(inAnHour))
  })
})
