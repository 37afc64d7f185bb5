import { Queue } from 'bullmq'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startControlPlane, type ControlPlane } from '../../hack/cluster/control-plane.ts'
import { startRedis, type RedisServer } from '../../hack/cluster/redis.ts'
import {
  deployments,
  events,
  findCondition,
  taskBrokers,
  workerPools,
  type Deployment,
  type KubeObject,
  type Resource,
  type WorkerPool,
} from '../../src/api/index.ts'
import { connectCluster, installCrds, namespaces, observe } from '../support/cluster-client.ts'
import { createBroker, createPool } from '../support/manifests.ts'
import { productEntry, startOperator, type OperatorProcess } from '../support/operator-process.ts'

type Quota = KubeObject & { readonly spec: object; readonly status?: { readonly hard?: unknown } }

const namespace = 'default'
let controlPlane: ControlPlane
let redis: RedisServer
let client: Awaited<ReturnType<typeof connectCluster>>
let operator: OperatorProcess
let quiet: { readonly versions: readonly string[]; readonly sinceMs: number }

beforeAll(async () => {
  ;[controlPlane, redis] = await Promise.all([startControlPlane(), startRedis()])
  client = await connectCluster(controlPlane.kubeconfig)
  await installCrds(client)
  operator = startOperator({ cluster: controlPlane, entry: productEntry })
  await createBroker(client, namespace, redis.address)

  // Left alone from here on, while the other tests keep the operator busy.
  await client.create(namespaces, { metadata: { name: 'quiet' } }, { fieldManager: 'test' })
  await createBroker(client, 'quiet', redis.address)
  await createPool(client, 'quiet', 'quiet', { queues: [{ name: 'quiet' }] })
  await observe(client, workerPools, { namespace: 'quiet', name: 'quiet' }, (object) => object?.status?.reason === 'ScaledToZero')
  await observe(
    client,
    deployments,
    { namespace: 'quiet', name: 'quiet' },
    (object) => object !== undefined && object.status?.observedGeneration === object.metadata.generation,
  )
  quiet = { versions: await settled('quiet'), sinceMs: performance.now() }
})

afterAll(async () => {
  await operator?.stop()
  await client?.close()
  await Promise.all([redis?.stop(), controlPlane?.stop()])
})

/** Everything of the operator's in a namespace, with its version: the same versions, nothing written. */
/** Of the pools of a namespace and what belongs to them. Its TaskBroker says what its server does, and that changes under load. */
async function versionsIn(where: string): Promise<readonly string[]> {
  const lists = await Promise.all([
    client.list<KubeObject>(workerPools, { namespace: where }),
    client.list<KubeObject>(deployments, { namespace: where }),
    client.list<KubeObject>(events, { namespace: where }),
  ])
  return lists.flatMap((list) => list.items.map(({ kind, metadata }) => `${kind}/${metadata.name} ${metadata.resourceVersion ?? ''}`))
}

/** The versions once a second has passed without another one: Events come a little after what they tell of. */
async function settled(where: string): Promise<readonly string[]> {
  for (let before = await versionsIn(where); ;) {
    await new Promise((resolve) => setTimeout(resolve, 1000))
    const now = await versionsIn(where)
    if (now.join() === before.join()) return now
    before = now
  }
}

const queueOf = (name: string): Queue => new Queue(name, { connection: { host: redis.host, port: redis.port } })
const bulk = (count: number): { name: string; data: object }[] => Array.from({ length: count }, () => ({ name: 'x', data: {} }))
const deployment = (name: string, holds: (object: Deployment | undefined) => boolean): Promise<Deployment | undefined> =>
  observe(client, deployments, { namespace, name }, holds)
const pool = (name: string, holds: (object: WorkerPool) => boolean): Promise<WorkerPool | undefined> =>
  observe(client, workerPools, { namespace, name }, (object) => object !== undefined && holds(object))
const reasonOf = (object: WorkerPool, type: string): string | undefined => findCondition(object.status?.conditions, type)?.reason
const quick = { behavior: { scaleDown: { stabilizationWindowSeconds: 1 } } }

describe('a pool', () => {
  it('starts at zero, wakes on a job, follows the backlog up to maxReplicas and goes back to zero', async () => {
    await createPool(client, namespace, 'mail', {
      queues: [{ name: 'mail-a' }, { name: 'mail-b' }],
      concurrency: 2,
      scaling: { maxReplicas: 5, targetBacklogPerReplica: 10, ...quick },
    })
    const created = await deployment('mail', (object) => object?.spec.replicas === 0)
    expect(created?.metadata.ownerReferences).toMatchObject([{ kind: 'WorkerPool', name: 'mail', controller: true }])
    await pool('mail', (object) => reasonOf(object, 'Ready') === 'ScaledToZero')

    const [a, b] = [queueOf('mail-a'), queueOf('mail-b')]
    await a.add('x', {})
    await deployment('mail', (object) => object?.spec.replicas === 1)
    await b.addBulk(bulk(24))
    await deployment('mail', (object) => object?.spec.replicas === 3)
    await b.addBulk(bulk(100))
    const full = await deployment('mail', (object) => object?.spec.replicas === 5)
    expect(full?.metadata.annotations).toMatchObject({ 'taskmill.dev/written-replicas': '5' })
    const limited = await pool('mail', (object) => reasonOf(object, 'ScalingLimited') === 'TooManyReplicas')
    expect(limited?.status).toMatchObject({ desiredReplicas: 5, backlog: 125, busy: '0/0' })
    expect(limited?.status?.decision).toBe(
      '5 replicas: 125 jobs (125 waiting, 0 running) need 13 at 10 per replica, limited by maxReplicas 5. Next: raise spec.scaling.maxReplicas if the cluster has room.',
    )

    await Promise.all([a.drain(), b.drain()])
    await deployment('mail', (object) => object?.spec.replicas === 0)
    await pool('mail', (object) => reasonOf(object, 'Ready') === 'ScaledToZero' && object.status?.backlog === 0)
    await Promise.all([a.close(), b.close()])
  })

  it('wakes for a delayed job that falls due while no worker runs, and for a prioritized one', async () => {
    await createPool(client, namespace, 'later', { queues: [{ name: 'later' }], scaling: quick })
    await deployment('later', (object) => object?.spec.replicas === 0)
    const queue = queueOf('later')
    await queue.add('x', {}, { delay: 1500 })
    await deployment('later', (object) => object?.spec.replicas === 1)
    expect(await queue.getWaitingCount()).toBe(0)
    await queue.drain(true)
    await deployment('later', (object) => object?.spec.replicas === 0)
    await queue.add('x', {}, { priority: 5 })
    await deployment('later', (object) => object?.spec.replicas === 1)
    await queue.close()
  })

  it('ignores the backlog of a paused queue', async () => {
    const queue = queueOf('paused')
    await queue.pause()
    await queue.addBulk(bulk(50))
    await createPool(client, namespace, 'paused', { queues: [{ name: 'paused' }], scaling: quick })
    await pool('paused', (object) => reasonOf(object, 'Ready') === 'ScaledToZero')
    await queue.resume()
    await deployment('paused', (object) => object?.spec.replicas === 5)
    await queue.close()
  })

  it('rolls out a changed template without touching the replicas', async () => {
    const queue = queueOf('roll')
    await queue.addBulk(bulk(30))
    await createPool(client, namespace, 'roll', { queues: [{ name: 'roll' }] })
    await deployment('roll', (object) => object?.spec.replicas === 3)
    const template = { spec: { containers: [{ name: 'worker', image: 'localhost/none:2' }] } }
    await client.apply(
      workerPools,
      { metadata: { namespace, name: 'roll' }, spec: { template } },
      { fieldManager: 'test-roll', force: true },
    )
    const rolled = await deployment('roll', (object) => JSON.stringify(object?.spec.template).includes('none:2'))
    expect(rolled?.spec.replicas).toBe(3)
    await queue.close()
  })

  it('goes with its Deployment when it is deleted', async () => {
    await createPool(client, namespace, 'gone', { queues: [{ name: 'gone' }] })
    await deployment('gone', (object) => object !== undefined)
    await client.delete(workerPools, namespace, 'gone')
    await deployment('gone', (object) => object === undefined)
  })
})

describe('a pool that cannot be acted upon', () => {
  it('names a missing TaskBroker, and continues when it comes', async () => {
    await createPool(client, namespace, 'orphan', { brokerRef: { name: 'other' }, queues: [{ name: 'orphan' }] })
    const waiting = await pool('orphan', (object) => reasonOf(object, 'Ready') === 'BrokerNotFound')
    expect(findCondition(waiting?.status?.conditions, 'Ready')?.message).toBe(
      'TaskBroker "other" does not exist in this namespace. Next: create it',
    )
    await createBroker(client, namespace, redis.address, 'other')
    await pool('orphan', (object) => reasonOf(object, 'Ready') === 'ScaledToZero')
  })

  it('keeps the replicas when its TaskBroker is deleted, and says so', async () => {
    await createBroker(client, namespace, redis.address, 'brief')
    const queue = queueOf('brief')
    await queue.addBulk(bulk(20))
    await createPool(client, namespace, 'brief', { brokerRef: { name: 'brief' }, queues: [{ name: 'brief' }] })
    await deployment('brief', (object) => object?.spec.replicas === 2)
    await client.delete(taskBrokers, namespace, 'brief')
    await pool('brief', (object) => reasonOf(object, 'Ready') === 'BrokerNotFound')
    expect((await client.get(deployments, namespace, 'brief')).spec.replicas).toBe(2)
    await queue.close()
  })

  it('shows a quota that prevents pods, and continues when it is gone', async () => {
    const quotas: Resource<Quota> = { group: '', version: 'v1', kind: 'ResourceQuota', plural: 'resourcequotas', namespaced: true }
    await client.create(namespaces, { metadata: { name: 'tight' } }, { fieldManager: 'test' })
    await createBroker(client, 'tight', redis.address)
    const quota = { metadata: { namespace: 'tight', name: 'none' }, spec: { hard: { 'count/deployments.apps': '0' } } }
    await client.create(quotas, quota, { fieldManager: 'test' })
    await observe<Quota>(client, quotas, { namespace: 'tight', name: 'none' }, (object) => object?.status?.hard !== undefined)
    await createPool(client, 'tight', 'tight', { queues: [{ name: 'tight' }] })
    const refused = await observe(
      client,
      workerPools,
      { namespace: 'tight', name: 'tight' },
      (object) => object?.status?.reason === 'TemplateRefused',
    )
    expect(findCondition(refused?.status?.conditions, 'Ready')?.message).toMatch(/exceeded quota: none.*Next: raise the ResourceQuota/u)
    await client.delete(quotas, 'tight', 'none')
    await observe(client, workerPools, { namespace: 'tight', name: 'tight' }, (object) => object?.status?.reason === 'ScaledToZero')
  })

  it('does not touch a Deployment of another owner', async () => {
    const labels = { app: 'theirs' }
    await client.create(
      deployments,
      {
        metadata: { namespace, name: 'theirs' },
        spec: {
          replicas: 0,
          selector: { matchLabels: labels },
          template: { metadata: { labels }, spec: { containers: [{ name: 'x', image: 'localhost/x:1' }] } },
        },
      },
      { fieldManager: 'test' },
    )
    await createPool(client, namespace, 'theirs', { queues: [{ name: 'theirs' }] })
    const stalled = await pool('theirs', (object) => reasonOf(object, 'Stalled') === 'DeploymentNotOwned')
    expect(findCondition(stalled?.status?.conditions, 'Ready')?.message).toContain('delete or rename it, or rename this WorkerPool')
    const untouched = await client.get(deployments, namespace, 'theirs')
    expect(untouched.metadata.labels).toBeUndefined()
    expect(untouched.metadata.generation).toBe(1)
  })

  it('shows the words of the API server for a template that it refuses, and recovers when it is corrected', async () => {
    const broken = { spec: { containers: [{ name: 'worker', image: 'localhost/none:1', imagePullPolicy: 'Sometimes' }] } }
    await createPool(client, namespace, 'broken', { queues: [{ name: 'broken' }], template: broken })
    const stalled = await pool('broken', (object) => reasonOf(object, 'Stalled') === 'TemplateInvalid')
    expect(findCondition(stalled?.status?.conditions, 'Ready')?.message).toMatch(
      /imagePullPolicy.*Sometimes.*Next: correct spec\.template/u,
    )
    const template = { spec: { containers: [{ name: 'worker', image: 'localhost/none:1', imagePullPolicy: 'Always' }] } }
    await client.apply(workerPools, { metadata: { namespace, name: 'broken' }, spec: { template } }, { fieldManager: 'test', force: true })
    await pool('broken', (object) => reasonOf(object, 'Ready') === 'ScaledToZero')
  })

  it('says of a broker that does not answer what to look at', async () => {
    await createBroker(client, namespace, '127.0.0.1:1', 'nowhere')
    const away = await observe(
      client,
      taskBrokers,
      { namespace, name: 'nowhere' },
      (object) => findCondition(object?.status?.conditions, 'BrokerReachable')?.status === 'False',
    )
    expect(findCondition(away?.status?.conditions, 'Ready')?.message).toMatch(
      /127\.0\.0\.1:1 does not answer: .*Next: check spec\.standalone\.address/u,
    )
    await createPool(client, namespace, 'blind', { brokerRef: { name: 'nowhere' }, queues: [{ name: 'blind' }] })
    await pool('blind', (object) => reasonOf(object, 'ScalingActive') === 'FailedGetQueueMetrics')
  })
})

it('wrote nothing about a pool for which nothing changed, beyond the interval of the gauges', async () => {
  const remainingMs = quiet.sinceMs + 31_000 - performance.now()
  if (remainingMs > 0) await new Promise((resolve) => setTimeout(resolve, remainingMs))
  expect(await versionsIn('quiet')).toEqual(quiet.versions)
}, 60_000)
