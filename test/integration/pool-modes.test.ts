/** The source of the replicas: the queues, people through the pool, or people past it. */
import { Queue } from 'bullmq'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { deployments, findCondition, workerPools, type Deployment, type WorkerPool } from '../../src/api/index.ts'
import { observe } from '../support/cluster-client.ts'
import { createPool } from '../support/manifests.ts'
import { untilGauge } from '../support/operator-http.ts'
import { openOperatorHome, type OperatorHome } from '../support/operator-home.ts'

const quick = { behavior: { scaleDown: { stabilizationWindowSeconds: 1 } } }
let home: OperatorHome
let namespace: string

beforeAll(async () => {
  home = await openOperatorHome('pool-modes')
  ;({ namespace } = home)
})

afterAll(async () => {
  await home?.close()
})

const queueOf = (name: string): Queue => new Queue(name, { connection: { host: home.redis.host, port: home.redis.port } })
const jobs = (count: number) => Array.from({ length: count }, () => ({ name: 'x', data: {} }))
const deployment = (name: string, holds: (object: Deployment) => boolean): Promise<Deployment | undefined> =>
  observe(home.client, deployments, { namespace, name }, (object) => object !== undefined && holds(object))
const pool = (name: string, holds: (object: WorkerPool) => boolean): Promise<WorkerPool | undefined> =>
  observe(home.client, workerPools, { namespace, name }, (object) => object !== undefined && holds(object))
const condition = (object: WorkerPool | undefined, type: string) => findCondition(object?.status?.conditions, type)
const setMode = (name: string, mode: string) =>
  home.client.apply(workerPools, { metadata: { namespace, name }, spec: { scaling: { mode } } } as never, {
    fieldManager: 'mode',
    force: true,
  })
const scale = (resource: typeof deployments | typeof workerPools, name: string, replicas: number) =>
  home.client.patchScale(resource, namespace, name, replicas, { fieldManager: 'kubectl' })

/** The operator has seen so many jobs, and has done what it does about them. */
const seesWaiting = (queue: string, count: number): Promise<void> =>
  untilGauge(home.operator, 'taskmill_queue_jobs', { namespace, queue, state: 'waiting' }, count)

it('Manual holds the replicas that are found, then follows the scale subresource, and Auto takes over again', async () => {
  const queue = queueOf('manual')
  await queue.addBulk(jobs(40))
  await createPool(home.client, namespace, 'manual', { queues: [{ name: 'manual' }], scaling: { targetBacklogPerReplica: 10, ...quick } })
  await deployment('manual', ({ spec }) => spec.replicas === 4)

  await setMode('manual', 'Manual')
  const held = await pool('manual', (object) => condition(object, 'ScalingActive')?.reason === 'ScalingDisabled')
  expect(held?.status).toMatchObject({ desiredReplicas: 4, ignoredReplicas: 0, selector: 'taskmill.dev/pool=manual' })
  expect(condition(held, 'ScalingLimited')).toBeUndefined()
  await queue.addBulk(jobs(40))
  await seesWaiting('manual', 80)
  expect((await home.client.get(deployments, namespace, 'manual')).spec.replicas).toBe(4)

  await scale(workerPools, 'manual', 2)
  await deployment('manual', ({ spec }) => spec.replicas === 2)
  // Back to the number that was ignored before: it was written now, so it counts.
  await scale(workerPools, 'manual', 0)
  await deployment('manual', ({ spec }) => spec.replicas === 0)
  await scale(workerPools, 'manual', 3)
  await deployment('manual', ({ spec }) => spec.replicas === 3)
  // By hand to another number: people said 3 to the pool.
  await scale(deployments, 'manual', 7)
  await deployment('manual', ({ spec }) => spec.replicas === 3)
  await observe(home.client, workerPools, { namespace, name: 'manual' }, (object) => object?.status?.replicas === 3)
  expect(await home.client.getScale(workerPools, namespace, 'manual')).toMatchObject({
    spec: { replicas: 3 },
    status: { replicas: 3, selector: 'taskmill.dev/pool=manual' },
  })

  await setMode('manual', 'Auto')
  await deployment('manual', ({ spec }) => spec.replicas === 8)
  // And once more: 3 is what Manual finds in spec.replicas now, and does not jump to.
  await setMode('manual', 'Manual')
  await pool('manual', ({ status }) => status?.ignoredReplicas === 3 && status.desiredReplicas === 8)
  await queue.close()
}, 60_000)

it('a pool that is Manual from the start has what it says', async () => {
  await createPool(home.client, namespace, 'fixed', { queues: [{ name: 'fixed' }], replicas: 2, scaling: { mode: 'Manual' } })
  await deployment('fixed', ({ spec }) => spec.replicas === 2)
})

it('DryRun says what it would write, and writes nothing', async () => {
  const queue = queueOf('dry')
  await queue.addBulk(jobs(70))
  await createPool(home.client, namespace, 'dry', { queues: [{ name: 'dry' }], scaling: { mode: 'DryRun' } })
  const told = await pool('dry', ({ status }) => status?.desiredReplicas === 7)
  expect(told?.status?.decision).toBe('DryRun, would set 7 replicas: 70 jobs (70 waiting, 0 running) need 7 at 10 per replica. Now 0.')
  expect(condition(told, 'ScalingActive')).toMatchObject({ status: 'False', reason: 'ScalingDisabled' })
  await scale(deployments, 'dry', 2)
  await pool('dry', ({ status }) => status?.ready === '0/2')
  await queue.addBulk(jobs(10))
  await seesWaiting('dry', 80)
  expect((await home.client.get(deployments, namespace, 'dry')).spec.replicas).toBe(2)
  await queue.close()
})

it('a number by hand is repaired, a zero by hand is left alone until there is another number', async () => {
  const queue = queueOf('hand')
  await queue.addBulk(jobs(30))
  await createPool(home.client, namespace, 'hand', { queues: [{ name: 'hand' }], scaling: quick })
  await deployment('hand', ({ spec }) => spec.replicas === 3)
  await scale(deployments, 'hand', 5)
  await deployment('hand', ({ spec, metadata }) => spec.replicas === 3 && (metadata.generation ?? 0) >= 3)

  await scale(deployments, 'hand', 0)
  const off = await pool('hand', ({ status }) => status?.reason === 'ScalingDisabled')
  expect(condition(off, 'ScalingActive')?.message).toBe(
    'someone scaled Deployment "hand" to 0 (Taskmill last wrote 3), and the operator leaves it at 0. ' +
      'Next: kubectl scale deployment hand --replicas=1, or any number but 0, lets it scale again',
  )
  await queue.addBulk(jobs(30))
  // Nor does a restart of the operator forget it.
  await home.operator.kill()
  home.startOperator()
  await seesWaiting('hand', 60)
  await queue.addBulk(jobs(10))
  await seesWaiting('hand', 70)
  expect((await home.client.get(deployments, namespace, 'hand')).spec.replicas).toBe(0)
  await scale(deployments, 'hand', 1)
  await deployment('hand', ({ spec }) => spec.replicas === 7)
  await queue.close()
}, 90_000)

it('a template that was changed by hand is applied back, a Deployment that was deleted comes back with its replicas', async () => {
  const queue = queueOf('drift')
  await queue.addBulk(jobs(20))
  await createPool(home.client, namespace, 'drift', { queues: [{ name: 'drift' }] })
  const before = await deployment('drift', ({ spec }) => spec.replicas === 2)
  const containers = [{ name: 'worker', image: 'localhost/other:2' }]
  const other = { metadata: { namespace, name: 'drift' }, spec: { template: { spec: { containers } } } }
  await home.client.apply(deployments, other, { fieldManager: 'somebody', force: true })
  await deployment('drift', ({ spec, metadata }) => JSON.stringify(spec.template).includes('none:1') && (metadata.generation ?? 0) > 2)
  await home.client.delete(deployments, namespace, 'drift')
  const again = await deployment('drift', ({ metadata, spec }) => metadata.uid !== before?.metadata.uid && spec.replicas === 2)
  expect(again?.metadata.annotations).toMatchObject({ 'taskmill.dev/written-replicas': '2' })
  await queue.close()
})

it('an active job without a worker wakes the pool with one replica', async () => {
  // As a worker leaves them that was killed a minute ago: active, without locks.
  const queue = queueOf('orphan')
  await queue.addBulk(jobs(30))
  const direct = new Redis({ host: home.redis.host, port: home.redis.port })
  await direct.rename('bull:orphan:wait', 'bull:orphan:active')
  await direct.quit()
  await createPool(home.client, namespace, 'orphan', { queues: [{ name: 'orphan' }], scaling: quick })
  await deployment('orphan', ({ spec }) => spec.replicas === 1)
  const told = await pool('orphan', ({ status }) => status?.orphaned === 30)
  expect(told?.status?.decision).toBe('1 replica: 30 active jobs without a worker, which only a worker can return to the queue.')
  await queue.add('x', {}, { delay: 3_600_000 })
  await untilGauge(home.operator, 'taskmill_queue_jobs', { namespace, queue: 'orphan', state: 'delayed' }, 1)
  expect((await home.client.get(deployments, namespace, 'orphan')).spec.replicas).toBe(1)
  await queue.close()
})
