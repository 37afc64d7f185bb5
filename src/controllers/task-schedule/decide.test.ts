import { expect, it, test } from 'vitest'
import type { TaskSchedule } from '../../api/index.ts'
import { classifyRefusal, taskmillError } from '../../errors/index.ts'
import { understandSchedule } from '../../plans/index.ts'
import { decide } from './decide.ts'
import { membershipOf } from './group.ts'
import type { Gathered } from './gather.ts'

const refusedField = classifyRefusal(
  taskmillError('TM_KUBE_INVALID', 'Job.batch "trial" is invalid', {
    details: { status: 422, causes: [{ field: 'spec.backoffLimit', message: 'Invalid value' }] },
  }),
)

const scheduleOf = (spec: object) =>
  ({
    metadata: { namespace: 'team', name: 'nightly', creationTimestamp: '2026-11-28T00:00:00Z' },
    spec: {
      brokerRef: { name: 'default' },
      schedules: ['0 1 * * *'],
      timeZone: 'UTC',
      suspend: false,
      concurrencyPolicy: 'Allow',
      missedRuns: 'Latest',
      missedRunsLimit: 1,
      deletionPolicy: 'Delete',
      ...spec,
    },
  }) as unknown as TaskSchedule
const graph = { dependencyRef: { name: 'summary' } }

function gathered(spec: object, more: Partial<Gathered> = {}): Gathered {
  const schedule = scheduleOf(spec)
  const understood = understandSchedule(schedule)
  const facts = {
    status: undefined,
    suspension: { isSuspended: false },
    shown: undefined,
    hasDependency: true,
    left: undefined,
    trial: undefined,
    succeededByHandAtMs: undefined,
    group: undefined,
  }
  return { schedule, understood, ...facts, ...more }
}

it('drives by a plan, if nothing prevents it', () => {
  expect(decide(gathered(graph))).toMatchObject({ kind: 'Plan', heldBy: undefined, plan: { isHeld: false, suspended: false } })
})

it('two TaskBrokers of a namespace that are one server do not count the runs of each other', () => {
  const nameIn = (broker: string) => {
    const queueing = {
      ...graph,
      concurrencyPolicy: 'Queue',
      brokerRef: { name: broker },
      concurrencyGroup: { name: 'warehouse', limit: 1 },
    }
    const schedule = scheduleOf(queueing)
    const group = membershipOf({ schedules: { byIndex: () => [schedule] } }, 'team/nightly', schedule)
    const decided = decide(gathered(queueing, { group }))
    return decided.kind === 'Plan' ? decided.plan.group?.name : undefined
  }
  expect(nameIn('one')).toBe('team/one/warehouse')
  expect(nameIn('other')).toBe('team/other/warehouse')
})

it('a spec that cannot be understood is driven by nothing', () => {
  expect(decide(gathered({ ...graph, schedules: ['never'] }))).toMatchObject({ kind: 'Invalid', fault: { reason: 'InvalidSchedule' } })
})

test.each<[string, Partial<Gathered>, object]>([
  [
    'calendars whose ConfigMap is missing',
    {
      left: {
        kind: 'Unusable',
        reason: 'CalendarNotFound',
        field: 'spec.calendars.exclude[0]',
        message: 'ConfigMap "holidays" does not exist',
      },
    },
    { kind: 'Unusable', reason: 'CalendarNotFound' },
  ],
  ['a graph that is missing', { hasDependency: false }, { kind: 'NoDependency', name: 'summary' }],
  [
    'a template that the API server refuses',
    { trial: { kind: 'Invalid', refusal: refusedField } },
    {
      kind: 'Invalid',
      fault: { reason: 'TemplateInvalid', message: 'spec.job.spec.backoffLimit: Invalid value. Next: correct spec.job.spec.backoffLimit' },
    },
  ],
])('with %s active runs are followed, and no slot is decided', (_, facts, heldBy) => {
  expect(decide(gathered(graph, facts))).toMatchObject({ kind: 'Plan', heldBy, plan: { isHeld: true } })
})

test.each<[string, number, string | undefined]>([
  ['of this very template', 3, 'TemplateInvalid'],
  ['of another template', 2, undefined],
])('while the API server has not answered to the template, a refusal that the status knows %s decides', (_, generation, reason) => {
  const schedule = scheduleOf(graph)
  const status = {
    observedGeneration: generation,
    conditions: [{ type: 'Stalled', status: 'True' as const, reason: 'TemplateInvalid', message: 'correct it', lastTransitionTime: '' }],
  }
  const facts = { schedule: { ...schedule, metadata: { ...schedule.metadata, generation: 3 } }, status }
  const heldBy = reason && { kind: 'Invalid', fault: { reason, message: 'correct it' } }
  expect(decide(gathered(graph, { ...facts, trial: { kind: 'Unknown', warnings: [] } }))).toMatchObject({ heldBy })
  expect(decide(gathered(graph, { ...facts, trial: { kind: 'Fine', warnings: [] } }))).toMatchObject({ heldBy: undefined })
})

test('while calendars are being read, no slot is decided, and nothing is said', () => {
  expect(decide(gathered(graph, { left: { kind: 'Unread' } }))).toMatchObject({ kind: 'Plan', heldBy: undefined, plan: { isHeld: true } })
})

test('calendars that are read leave the slots of the plan', () => {
  const slots = { next: () => 7, between: () => [7] }
  const timing = { everySeconds: 60, calendars: { rules: 'a', files: 'b' } }
  const decided = decide(gathered(graph, { left: { kind: 'Left', plan: { timing, slots, seed: 'acme/nightly' } } }))
  expect(decided).toMatchObject({ kind: 'Plan', plan: { timing, slots, isHeld: false } })
})

test('the newest slot that is known, by the status or by what this process saw, goes into the plan', () => {
  const status = { observedGeneration: 1, lastScheduleTime: '2026-11-28T01:00:00Z' }
  const bySlot = (slot: number) => ({ lastDispatched: { slot, atMs: 0 } }) as Gathered['shown']
  const told = Date.parse(status.lastScheduleTime) / 1000
  const slotOf = (facts: Partial<Gathered>) => {
    const decision = decide(gathered(graph, facts))
    return decision.kind === 'Plan' ? decision.plan.statusSlot : undefined
  }
  expect([slotOf({}), slotOf({ status }), slotOf({ status, shown: bySlot(told + 60) }), slotOf({ status, shown: bySlot(1) })]).toEqual([
    undefined,
    told,
    told + 60,
    told,
  ])
})
