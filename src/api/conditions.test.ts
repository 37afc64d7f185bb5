import { describe, expect, it } from 'vitest'
import { brokerCondition, type Condition, findCondition, kubeTime, poolCondition, poolEvent, setConditions } from './index.ts'

const then = Date.parse('2026-11-23T08:00:00Z')
const now = Date.parse('2026-11-23T09:30:00.750Z')

const ready: Condition = {
  type: 'Ready',
  status: 'True',
  observedGeneration: 1,
  lastTransitionTime: kubeTime(then),
  reason: 'DeploymentAvailable',
  message: '2 of 2 pods are ready',
}
const reconciling: Condition = { ...ready, type: 'Reconciling', reason: 'DeploymentProgressing' }

describe('setConditions', () => {
  it.each<[string, readonly Condition[] | undefined, Parameters<typeof setConditions>[1], readonly Partial<Condition>[]]>([
    [
      'a first condition starts now',
      undefined,
      [poolCondition('Ready', 'ScaledToZero', 'no jobs')],
      [{ type: 'Ready', lastTransitionTime: '2026-11-23T09:30:00Z', message: 'no jobs' }],
    ],
    [
      'the same status keeps its time, whatever the reason',
      [ready],
      [poolCondition('Ready', 'ScaledToZero', 'no jobs')],
      [{ status: 'True', reason: 'ScaledToZero', lastTransitionTime: '2026-11-23T08:00:00Z' }],
    ],
    [
      'another status starts now',
      [ready],
      [poolCondition('Ready', 'BrokerNotFound', 'no default')],
      [{ status: 'False', lastTransitionTime: '2026-11-23T09:30:00Z' }],
    ],
    ['what is not wanted ends', [ready, reconciling], [poolCondition('Ready', 'DeploymentAvailable', 'ok')], [{ type: 'Ready' }]],
    ["other writers' conditions are not taken over", [{ ...ready, type: 'Alerting' }], [], []],
    [
      'the order is that of what is wanted',
      [reconciling, ready],
      [poolCondition('Ready', 'DeploymentAvailable', 'ok'), poolCondition('Reconciling', 'DeploymentProgressing', 'rolling')],
      [{ type: 'Ready' }, { type: 'Reconciling', lastTransitionTime: '2026-11-23T08:00:00Z' }],
    ],
  ])('%s', (_, previous, wanted, expected) => {
    const conditions = setConditions(previous, wanted, now, 2)
    expect(conditions).toMatchObject(expected)
    expect(conditions).toHaveLength(expected.length)
    expect(conditions.every((condition) => condition.observedGeneration === 2)).toBe(true)
  })

  it('gives the same bytes for the same facts, so that nothing is written', () => {
    const wanted = [poolCondition('Ready', 'DeploymentAvailable', 'ok'), poolCondition('ScalingActive', 'ValidMetricFound', 'read')]
    const first = setConditions(undefined, wanted, then, 1)
    expect(JSON.stringify(setConditions(first, wanted, now, 1))).toBe(JSON.stringify(first))
  })

  it('keeps messages within what the schema admits', () => {
    const [condition] = setConditions(undefined, [brokerCondition('Ready', 'ConnectionFailed', 'x'.repeat(40_000))], now, 1)
    expect(condition?.message).toHaveLength(32_768)
    expect(condition?.message.endsWith('…')).toBe(true)
  })

  it('leaves the generation out where there is none', () => {
    expect(setConditions(undefined, [poolCondition('Ready', 'ScaledToZero', '')], now, undefined)[0]).not.toHaveProperty(
      'observedGeneration',
    )
  })
})

describe('reasons', () => {
  it('bring their status, type and action with them', () => {
    expect(poolCondition('ScalingLimited', 'TooManyReplicas', 'm').status).toBe('True')
    expect(poolCondition('ScalingLimited', 'DesiredWithinRange', 'm').status).toBe('False')
    expect(poolEvent('TemplateInvalid', 'n')).toEqual({ type: 'Warning', reason: 'TemplateInvalid', action: 'Update', note: 'n' })
  })

  it('do not compile when they are not declared', () => {
    // @ts-expect-error not a reason of Ready
    expect(() => poolCondition('Ready', 'TooManyReplicas', '')).toThrow('not declared: Ready TooManyReplicas')
    // @ts-expect-error not an Event
    expect(() => poolEvent('Exploded', '')).toThrow('not declared: Event Exploded')
  })

  it('are found by type', () => {
    expect(findCondition([ready], 'Ready')).toBe(ready)
    expect(findCondition(undefined, 'Ready')).toBeUndefined()
  })
})
