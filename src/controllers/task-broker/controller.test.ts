import { expect, test } from 'vitest'
import type { TaskBroker, WantedEvent } from '../../api/index.ts'
import { fakeClock } from '../../clock/index.ts'
import { taskmillError } from '../../errors/index.ts'
import { createMetrics, silentLogger } from '../../observability/index.ts'
import { createWriteBudget } from '../../services/status/index.ts'
import { createTaskBrokerController, type TaskBrokerDeps } from './controller.ts'

test('an Event about a transition goes out once, when its status is written', async () => {
  const broker = {
    metadata: { namespace: 'team', name: 'default', uid: 'u1', generation: 1 },
    spec: { standalone: { address: 'redis:6379' }, keyPrefix: 'bull', dispatch: 'Active' },
  } as unknown as TaskBroker
  const clock = fakeClock()
  const sent: string[] = []
  const server = { isAway: true }
  const unused = () => undefined
  const controller = createTaskBrokerController({
    client: {
      async applyStatus(_: unknown, object: TaskBroker) {
        if (server.isAway) throw taskmillError('TM_KUBE_UNAVAILABLE', 'the API server does not answer')
        return object
      },
    },
    taskBrokers: { get: () => broker },
    directory: {
      get: () => ({ kind: 'Unknown' }),
      resolve: async () => ({ kind: 'Blocked', reason: 'SecretNotFound', message: 'Secret "redis" does not exist' }),
    },
    dispatchLeases: { forget: unused, state: () => ({ kind: 'Pending' }) },
    events: { event: (_: TaskBroker, { reason }: WantedEvent) => void sent.push(reason) },
    metrics: createMetrics({ now: () => 0 }),
    queuesOf: () => [],
    statusBudget: createWriteBudget({ clock, perSecond: 10 }),
    installation: 'default',
    clock,
  } as unknown as TaskBrokerDeps)
  const reconcile = () =>
    controller.reconcile('team/default', {
      signal: new AbortController().signal,
      log: silentLogger,
      areOthersDue: () => false,
      stepAside: () => undefined,
    })
  await expect(reconcile()).rejects.toMatchObject({ code: 'TM_KUBE_UNAVAILABLE' })
  await expect(reconcile()).rejects.toMatchObject({ code: 'TM_KUBE_UNAVAILABLE' })
  expect(sent).toEqual([])
  server.isAway = false
  await reconcile()
  await reconcile()
  expect(sent).toEqual(['BrokerUnreachable'])
})
