/** Pools that scale a Deployment which exists: what is written to it, what is taken back, and who may have it. */
import { Queue } from 'bullmq'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { deployments, findCondition, workerPools, type Deployment, type WorkerPool } from '../../src/api/index.ts'
import { observe } from '../support/cluster-client.ts'
import { createPool } from '../support/manifests.ts'
import { openOperatorHome, type OperatorHome } from '../support/operator-home.ts'
import { createTarget } from '../support/target-deployment.ts'

const marks = { label: 'taskmill.dev/pool', annotation: 'taskmill.dev/written-replicas' }
let home: OperatorHome
let namespace: string

beforeAll(async () => {
  home = await openOperatorHome('pool-target')
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
const reasonOf = (object: WorkerPool, type: string): string | undefined => findCondition(object.status?.conditions, type)?.reason
const poolOn = (name: string, target: string, more: object = {}) =>
  createPool(home.client, namespace, name, { queues: [{ name }], template: undefined, targetRef: { name: target }, ...more } as never)
const isFree = ({ metadata }: Deployment): boolean =>
  metadata.labels?.[marks.label] === undefined && metadata.annotations?.[marks.annotation] === undefined

it('writes the replicas of its target, two marks and nothing else, and takes the marks back when it goes', async () => {
  const before = await createTarget(home.client, namespace, 'theirs', 2)
  const queue = queueOf('scaled')
  await queue.addBulk(jobs(50))
  await poolOn('scaled', 'theirs')
  const after = await deployment('theirs', ({ spec }) => spec.replicas === 5)
  expect(after?.spec.template).toEqual(before.spec.template)
  expect(after?.spec.selector).toEqual(before.spec.selector)
  expect(after?.metadata.ownerReferences).toBeUndefined()
  expect(after?.metadata.labels).toEqual({ [marks.label]: 'scaled' })
  expect(after?.metadata.annotations).toMatchObject({ [marks.annotation]: '5' })
  await pool('scaled', ({ status }) => status?.selector === 'app=theirs' && status.desiredReplicas === 5)

  await home.client.delete(workerPools, namespace, 'scaled')
  const freed = await deployment('theirs', isFree)
  expect(freed?.spec.replicas).toBe(5)
  await queue.close()
})

it('takes back what it wrote although the operator was away when the pool went', async () => {
  await createTarget(home.client, namespace, 'left', 2)
  await poolOn('leaver', 'left', { scaling: { minReplicas: 2 } })
  await deployment('left', ({ metadata }) => metadata.labels?.[marks.label] === 'leaver')
  await home.operator.stop()
  await home.client.delete(workerPools, namespace, 'leaver')
  home.startOperator()
  const freed = await deployment('left', isFree)
  expect(freed?.spec.replicas).toBe(2)
})

it('leaves its target for another one', async () => {
  await Promise.all([createTarget(home.client, namespace, 'first', 1), createTarget(home.client, namespace, 'second', 1)])
  await poolOn('mover', 'first', { scaling: { minReplicas: 3 } })
  await deployment('first', ({ spec }) => spec.replicas === 3)
  const to = { metadata: { namespace, name: 'mover' }, spec: { targetRef: { name: 'second' } } }
  await home.client.apply(workerPools, to, { fieldManager: 'test', force: true })
  await deployment('second', ({ spec, metadata }) => spec.replicas === 3 && metadata.labels?.[marks.label] === 'mover')
  const freed = await deployment('first', isFree)
  expect(freed?.spec.replicas).toBe(3)
})

it('names a target that is missing, and continues when it comes', async () => {
  await poolOn('early', 'late', { scaling: { minReplicas: 2 } })
  const waiting = await pool('early', (object) => reasonOf(object, 'Reconciling') === 'WaitingForTarget')
  expect(findCondition(waiting?.status?.conditions, 'Ready')).toMatchObject({
    status: 'False',
    reason: 'TargetNotFound',
    message: 'Deployment "late" does not exist in this namespace. Next: create it, or correct spec.targetRef.name',
  })
  await createTarget(home.client, namespace, 'late', 0)
  await deployment('late', ({ spec }) => spec.replicas === 2)
  // And again, when it is deleted under the pool.
  await home.client.delete(deployments, namespace, 'late')
  await pool('early', (object) => reasonOf(object, 'Ready') === 'TargetNotFound')
}, 60_000)

it('does not share a target with another pool, nor take the Deployment that a pool owns', async () => {
  await createTarget(home.client, namespace, 'shared', 1)
  await poolOn('owner', 'shared', { scaling: { minReplicas: 2 } })
  await deployment('shared', ({ spec }) => spec.replicas === 2)
  await poolOn('second-owner', 'shared', { scaling: { minReplicas: 4 } })
  const stalled = await pool('second-owner', (object) => reasonOf(object, 'Stalled') === 'DeploymentNotOwned')
  expect(findCondition(stalled?.status?.conditions, 'Ready')?.message).toBe(
    'Deployment "shared" exists and belongs to WorkerPool "owner". Next: target another Deployment, or delete one of the two pools',
  )
  await createPool(home.client, namespace, 'whole', { queues: [{ name: 'whole' }] })
  await deployment('whole', () => true)
  await poolOn('thief', 'whole')
  await pool('thief', (object) => reasonOf(object, 'Stalled') === 'DeploymentNotOwned')
  expect((await home.client.get(deployments, namespace, 'shared')).spec.replicas).toBe(2)
})

it('DryRun does not touch its target at all, and Manual holds what it has', async () => {
  const before = await createTarget(home.client, namespace, 'watched', 3)
  await poolOn('watcher', 'watched', { scaling: { mode: 'DryRun', minReplicas: 5 } })
  await pool('watcher', ({ status }) => status?.desiredReplicas === 5 && status.ready === '0/3')
  await sleep(1000)
  const after = await home.client.get(deployments, namespace, 'watched')
  expect([isFree(after), after.metadata.generation]).toEqual([true, before.metadata.generation])

  await createTarget(home.client, namespace, 'kept', 3)
  await poolOn('keeper', 'kept', { scaling: { mode: 'Manual' } })
  await pool('keeper', ({ status }) => status?.ready === '0/3' && status.ignoredReplicas === 0)
  expect((await home.client.get(deployments, namespace, 'kept')).spec.replicas).toBe(3)
})
