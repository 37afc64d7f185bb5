/** What people read when pods fail: written here by hand into the pods' status, as a kubelet and a scheduler would. */
import { Queue } from 'bullmq'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { deployments, findCondition, pods, workerPools, type Pod, type WorkerPool } from '../../src/api/index.ts'
import { namespaces, observe } from '../support/cluster-client.ts'
import { createBroker, createPool } from '../support/manifests.ts'
import { openOperatorHome, type OperatorHome } from '../support/operator-home.ts'
import { untilGauge } from '../support/operator-http.ts'

let home: OperatorHome
let namespace: string

beforeAll(async () => {
  home = await openOperatorHome('pool-failures', ['strict'])
  ;({ namespace } = home)
})

afterAll(async () => {
  await home?.close()
})

const readyOf = (object: WorkerPool | undefined) => findCondition(object?.status?.conditions, 'Ready')
const pool = (name: string, holds: (object: WorkerPool) => boolean): Promise<WorkerPool | undefined> =>
  observe(home.client, workerPools, { namespace, name }, (object) => object !== undefined && holds(object))

/** The pods of a pool, once there are as many. */
async function podsOf(name: string, count: number): Promise<readonly Pod[]> {
  for (;;) {
    const { items } = await home.client.list(pods, { namespace, labelSelector: `taskmill.dev/pool=${name}` })
    if (items.length === count) return items
    await sleep(100)
  }
}

const setStatus = ({ metadata }: Pod, status: NonNullable<Pod['status']>) =>
  home.client.applyStatus(
    pods,
    { metadata: { namespace, name: metadata.name, uid: metadata.uid }, status },
    {
      fieldManager: 'kubelet',
      force: true,
    },
  )

it('shows the words of a container that crashes', async () => {
  await createPool(home.client, namespace, 'crash', { queues: [{ name: 'crash' }], scaling: { minReplicas: 1 } })
  const [pod] = await podsOf('crash', 1)
  const terminated = { exitCode: 1, reason: 'Error', message: 'Error: Cannot find module ./email.js\n', startedAt: null, finishedAt: null }
  const worker = { name: 'worker', image: '', imageID: '', ready: false, restartCount: 4 }
  const state = { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 40s restarting failed container' } }
  await setStatus(pod!, { phase: 'Running', containerStatuses: [{ ...worker, state, lastState: { terminated } }] } as never)
  const failing = await pool('crash', (object) => readyOf(object)?.reason === 'DeploymentUnavailable')
  const { name } = pod!.metadata
  expect(readyOf(failing)?.message).toBe(
    `0 of 1 pod is ready: pod ${name}, container worker: CrashLoopBackOff, exit code 1: Error: Cannot find module ./email.js. ` +
      `Next: kubectl logs ${name} -c worker --previous`,
  )
})

it('adds no more pods while some wait for a node, and continues when they have one', async () => {
  const queue = new Queue('full', { connection: { host: home.redis.host, port: home.redis.port } })
  const jobs = (count: number) => Array.from({ length: count }, () => ({ name: 'x', data: {} }))
  await queue.addBulk(jobs(20))
  await createPool(home.client, namespace, 'full', { queues: [{ name: 'full' }] })
  const waiting = await podsOf('full', 2)
  const unschedulable = {
    type: 'PodScheduled',
    status: 'False',
    reason: 'Unschedulable',
    message: '0/3 nodes are available: 3 Insufficient memory.',
  }
  await Promise.all(waiting.map((pod) => setStatus(pod, { conditions: [unschedulable] })))
  const crowded = await pool('full', ({ status }) => status?.reason === 'UnschedulablePods')
  expect(findCondition(crowded?.status?.conditions, 'ScalingLimited')).toMatchObject({
    status: 'True',
    reason: 'UnschedulablePods',
    message: '2 of 2 pods Pending: 0/3 nodes are available: 3 Insufficient memory. Next: add a node or lower requests',
  })
  await queue.addBulk(jobs(30))
  await untilGauge(home.operator, 'taskmill_queue_jobs', { namespace, queue: 'full', state: 'waiting' }, 50)
  expect((await home.client.get(deployments, namespace, 'full')).spec.replicas).toBe(2)
  await Promise.all(waiting.map((pod) => setStatus(pod, { conditions: [{ type: 'PodScheduled', status: 'True' }] })))
  await observe(home.client, deployments, { namespace, name: 'full' }, (object) => object?.spec.replicas === 5)
  await queue.close()
})

it('shows what the API server warns of', async () => {
  const [strict = ''] = home.others
  const labels = { 'pod-security.kubernetes.io/warn': 'restricted' }
  await home.client.apply(namespaces, { metadata: { name: strict, labels } }, { fieldManager: 'test' })
  await createBroker(home.client, strict, home.redis.address)
  await createPool(home.client, strict, 'loose', { queues: [{ name: 'loose' }] })
  const warned = await observe(home.client, workerPools, { namespace: strict, name: 'loose' }, (object) =>
    (readyOf(object)?.message ?? '').includes('The API server warns'),
  )
  expect(readyOf(warned)?.message).toMatch(/would violate PodSecurity "restricted:latest": allowPrivilegeEscalation/u)
})
