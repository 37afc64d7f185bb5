import { expect, it } from 'vitest'
import type { Condition, TaskAlert, TaskAlertStatus, WorkerPool } from '../../api/index.ts'
import { fakeClock } from '../../clock/index.ts'
import { taskmillError } from '../../errors/index.ts'
import type { KubeClient } from '../../kube/index.ts'
import { createWriteBudget } from '../../services/status/index.ts'
import { alertingOf, createAlertingController } from './alerting.ts'
import { poolTarget } from './target.ts'

const key = 'WorkerPool/acme/email'

function home() {
  const clock = fakeClock(Date.parse('2026-11-29T03:00:00Z'))
  const world = { alerts: [] as TaskAlert[], conditions: [] as Condition[], uid: 'u1', isClosing: false, isGone: false, gone: 0 }
  const writes: { readonly conditions: readonly Condition[]; readonly fieldManager: string }[] = []
  const client = {
    async applyStatus(_: unknown, body: { status: { conditions: Condition[] } }, { fieldManager }: { fieldManager: string }) {
      if (world.isGone) throw taskmillError('TM_KUBE_NOT_FOUND', 'workerpools.taskmill.dev "email" not found')
      writes.push({ conditions: body.status.conditions, fieldManager })
    },
  } as unknown as KubeClient
  const pool = (): WorkerPool =>
    ({
      kind: 'WorkerPool',
      metadata: { namespace: 'acme', name: 'email', uid: world.uid },
      spec: { brokerRef: { name: 'default' }, queues: [{ name: 'mail' }] },
      status: { observedGeneration: 1, conditions: world.conditions },
    }) as unknown as WorkerPool
  const controllerNow = () =>
    createAlertingController({
      client,
      alertsOf: () => world.alerts,
      targetOf: () => poolTarget(pool()),
      clock,
      statusBudget: createWriteBudget({
        clock,
        perSecond: 10,
        closing: { isClosing: () => world.isClosing, noteGone: () => void world.gone++ },
      }),
    })
  let controller = controllerNow()
  return {
    clock,
    world,
    writes,
    restart: () => (controller = controllerNow()),
    look: () => controller.reconcile(key, { signal: new AbortController().signal }),
  }
}

function alertOf(state: 'Firing' | 'Inactive', message: string): TaskAlert {
  const firing = { type: 'Firing', status: state === 'Firing' ? 'True' : 'False', reason: 'ThresholdCrossed', message }
  return {
    metadata: { namespace: 'acme', name: 'failing' },
    spec: { severity: 'Critical', target: { kind: 'WorkerPool', name: 'email' } },
    status: { state, sinceTime: '2026-11-29T02:51:00Z', conditions: [firing] },
  } as unknown as TaskAlert
}

it('shows on the target what fires, takes it back, and goes with the last alert', async () => {
  const { world, writes, look } = home()
  await look()
  expect(writes).toEqual([])
  world.alerts = [alertOf('Firing', '23% > 10%')]
  await look()
  await look()
  expect(writes).toMatchObject([
    { fieldManager: 'taskmill-alerting', conditions: [{ type: 'Alerting', status: 'True', reason: 'AlertsFiring' }] },
  ])
  world.alerts = [alertOf('Inactive', '2%')]
  await look()
  expect(writes[1]).toMatchObject({ conditions: [{ status: 'False', reason: 'NoAlertFiring' }] })
  world.alerts = []
  await look()
  await look()
  expect(writes.slice(2)).toMatchObject([{ conditions: [] }])
})

it('writes nothing while the namespace of the target is being deleted, and says of a target that is gone that its namespace may go', async () => {
  const { world, writes, look } = home()
  world.alerts = [alertOf('Firing', '23% > 10%')]
  Object.assign(world, { isGone: true })
  expect(await look()).toEqual({})
  expect(world.gone).toBe(1)
  Object.assign(world, { isGone: false, isClosing: true })
  world.alerts = []
  expect(await look()).toEqual({ requeueAfterMs: 60_000 })
  expect(writes).toEqual([])
})

it('writes values at most every 30 s, and keeps the time of the transition', async () => {
  const { clock, world, writes, look } = home()
  world.alerts = [alertOf('Firing', '23% > 10%')]
  await look()
  world.alerts = [alertOf('Firing', '29% > 10%')]
  expect(await look()).toEqual({ requeueAfterMs: 5_000 })
  await clock.advance(5_000)
  expect(await look()).toEqual({})
  expect(writes.map(({ conditions }) => conditions[0]?.message.slice(0, 31))).toEqual([
    'failing (Critical): 23% > 10%, ',
    'failing (Critical): 29% > 10%, ',
  ])
  expect(writes[1]?.conditions[0]?.lastTransitionTime).toBe(writes[0]?.conditions[0]?.lastTransitionTime)
})

it('shows at once that another alert fires, or that one is acknowledged', async () => {
  const { world, writes, look } = home()
  const first = alertOf('Firing', '23% > 10%')
  world.alerts = [first]
  await look()
  const second = { ...first, metadata: { namespace: 'acme', name: 'other' } }
  world.alerts = [first, second]
  expect(await look()).toEqual({})
  world.alerts = [first, { ...second, status: { ...second.status, ackedBy: 'oncall until then' } } as TaskAlert]
  expect(await look()).toEqual({})
  expect(writes.map(({ conditions }) => conditions[0]?.message.split('; ').length)).toEqual([1, 2, 2])
  expect(writes[2]?.conditions[0]?.message).toContain('acknowledged by oncall')
})

it('is right after a restart, and with a target that was created anew', async () => {
  const { world, writes, look, restart } = home()
  world.alerts = [alertOf('Firing', '23% > 10%')]
  await look()
  world.conditions = [...(writes[0]?.conditions ?? [])]
  restart()
  await look()
  expect(writes).toHaveLength(1)
  // The alert was deleted while no operator ran.
  world.alerts = []
  restart()
  await look()
  expect(writes[1]).toMatchObject({ conditions: [] })
  world.conditions = []
  world.alerts = [alertOf('Firing', '23% > 10%')]
  await look()
  world.uid = 'u2'
  await look()
  expect(writes).toHaveLength(4)
})

type Firing = readonly [status: 'True' | 'False' | 'Unknown', reason: string, message: string]

function judged(
  name: string,
  severity: TaskAlert['spec']['severity'],
  state: TaskAlertStatus['state'],
  [status, reason, message]: Firing,
  ackedBy?: string,
): TaskAlert {
  const condition = { type: 'Firing', status, reason, message, lastTransitionTime: '2026-11-29T02:51:00Z' } as const
  return {
    apiVersion: 'taskmill.dev/v1alpha1',
    kind: 'TaskAlert',
    metadata: { namespace: 'acme', name },
    spec: { target: { kind: 'WorkerPool', name: 'email' }, forSeconds: 0, severity, cooldownSeconds: 0 },
    ...(state === undefined
      ? {}
      : {
          status: {
            observedGeneration: 1,
            state,
            sinceTime: '2026-11-29T02:51:00Z',
            ...(ackedBy === undefined ? {} : { ackedBy }),
            conditions: [condition],
          },
        }),
  }
}

const firing = judged('failing', 'Critical', 'Firing', ['True', 'ThresholdCrossed', '23% (69/300) > 10% in 5m'])
const acked = judged(
  'backlog',
  'Warning',
  'Firing',
  ['True', 'ThresholdCrossed', '9 jobs waiting > 5'],
  'oncall until 2026-11-29T04:00:00Z',
)
const held = judged('a-held', 'Warning', 'Firing', ['True', 'HeldUnknown', 'fires since X with Y; it cannot be judged now'])
const calm = judged('calm', 'Info', 'Inactive', ['False', 'WithinThreshold', '0 jobs waiting'])
const pending = judged('pending', 'Info', 'Pending', ['False', 'Pending', '9 jobs waiting'])
const few = judged('few', 'Info', 'Unknown', ['Unknown', 'TooFewRuns', '1 run ended'])
const blind = judged('blind', 'Info', 'Unknown', ['Unknown', 'BrokerUnreachable', 'ECONNREFUSED'])
const fresh = judged('fresh', 'Info', undefined, ['Unknown', 'NotReadYet', ''])

it.each<[string, readonly TaskAlert[], string]>([
  ['no alert', [], 'none'],
  ['what was not judged yet', [calm, fresh], 'Undecided'],
  ['what is calm', [calm], 'False NoAlertFiring 1 alert, it does not fire'],
  ['what is calm, not for long, or has too little to judge', [calm, pending, few], 'False NoAlertFiring 3 alerts, none fires'],
  ['what nobody can see', [calm, blind], 'Unknown AlertsUnknown blind: ECONNREFUSED'],
  [
    'what fires, whatever the others do',
    [calm, blind, fresh, acked, held, firing],
    'True AlertsFiring failing (Critical): 23% (69/300) > 10% in 5m, since 2026-11-29T02:51:00Z, not acknowledged; ' +
      'a-held (Warning): fires since X with Y; it cannot be judged now, not acknowledged; ' +
      'backlog (Warning): 9 jobs waiting > 5, since 2026-11-29T02:51:00Z, acknowledged by oncall until 2026-11-29T04:00:00Z',
  ],
])('%s is said', (_, alerts, expected) => {
  const wanted = alertingOf(alerts)
  const said = typeof wanted === 'object' ? `${wanted.status} ${wanted.reason} ${wanted.message}` : (wanted ?? 'none')
  expect(said).toBe(expected)
})

it('names ten, and counts the rest', () => {
  const many = Array.from({ length: 12 }, (_, index) => ({ ...firing, metadata: { namespace: 'acme', name: `alert-${10 + index}` } }))
  const wanted = alertingOf(many)
  expect(typeof wanted === 'object' && wanted.message.split('; ').slice(9)).toEqual([expect.stringContaining('alert-19'), 'and 2 more'])
})
