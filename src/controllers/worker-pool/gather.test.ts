import { expect, it } from 'vitest'
import type { WorkerPoolStatus } from '../../api/index.ts'
import { fakeClock } from '../../clock/index.ts'
import { silentLogger } from '../../observability/index.ts'
import { deploymentOf, poolOf } from './fixtures.ts'
import { createGather, type GatherDeps, wantingPods } from './gather.ts'

const pods = { namespace: 'acme', name: 'email', labelSelector: 'taskmill.dev/pool=email' }

it.each([
  { name: 'all are ready', deployment: deploymentOf(3, { readyReplicas: 3, updatedReplicas: 3 }), wanting: undefined },
  { name: 'none is wanted', deployment: deploymentOf(0), wanting: undefined },
  { name: 'one is not ready', deployment: deploymentOf(3, { readyReplicas: 2, updatedReplicas: 3 }), wanting: pods },
  { name: 'one is of an old template', deployment: deploymentOf(3, { readyReplicas: 3, updatedReplicas: 2 }), wanting: pods },
])('$name', ({ deployment, wanting }) => {
  expect(wantingPods(deployment)).toEqual(wanting)
})

it('a new process that cannot list the pods yet takes from the status that they wait for nodes', async () => {
  const pool = poolOf()
  const clock = fakeClock()
  const answers = { isListed: false }
  const crowding = deploymentOf(3, { readyReplicas: 1, updatedReplicas: 3 })
  const gather = createGather({
    client: { list: () => (answers.isListed ? Promise.resolve({ items: [] }) : Promise.reject(new Error('overloaded'))) },
    pools: { get: () => pool },
    taskBrokers: { get: () => undefined },
    deployments: { get: () => ({ ...crowding, metadata: { ...crowding.metadata, creationTimestamp: '2026-01-01T00:00:00Z' } }) },
    signals: { unsubscribe: () => undefined },
    directory: { get: () => undefined },
    clock,
  } as unknown as GatherDeps)
  const condition = { status: 'True', lastTransitionTime: '' } as const
  const crowded: WorkerPoolStatus = {
    observedGeneration: 1,
    conditions: [
      {
        ...condition,
        type: 'ScalingLimited',
        reason: 'UnschedulablePods',
        message: '2 of 3 pods Pending: Insufficient memory. Next: add a node or lower requests',
      },
    ],
  }
  const troubleWith = async (status: WorkerPoolStatus | undefined) => {
    const context = { signal: new AbortController().signal, log: silentLogger, areOthersDue: () => false, stepAside: () => undefined }
    return (await gather.read('acme/email', pool, status, context)).trouble
  }
  expect(await troubleWith(crowded)).toEqual({ unschedulable: 2, unschedulableWords: '2 of 3 pods Pending: Insufficient memory' })
  expect(await troubleWith(undefined)).toBeUndefined()
  answers.isListed = true
  await clock.advance(10_000)
  expect(await troubleWith(crowded)).toMatchObject({ unschedulable: 0 })
})
