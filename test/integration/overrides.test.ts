/** What people write beside what Git declares, on a real API server: it holds, is seen, survives applies of the manifest, and ends by itself. */
import { Queue } from 'bullmq'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { run } from '../../hack/cluster/command.ts'
import {
  deployments,
  events,
  findCondition,
  taskSchedules,
  workerPools,
  type Deployment,
  type Event,
  type KubeObject,
  type Resource,
  type TaskSchedule,
  type WorkerPool,
} from '../../src/api/index.ts'
import { tools } from '../chart/helm.ts'
import { observe } from '../support/cluster-client.ts'
import { createPool, createSchedule } from '../support/manifests.ts'
import { openOperatorHome, type OperatorHome } from '../support/operator-home.ts'
import { untilGauge } from '../support/operator-http.ts'

const quick = { behavior: { scaleDown: { stabilizationWindowSeconds: 0 } } }
let home: OperatorHome
let namespace: string

beforeAll(async () => {
  home = await openOperatorHome('overrides')
  ;({ namespace } = home)
})

afterAll(async () => {
  await home?.close()
})

const queueOf = (name: string): Queue => new Queue(name, { connection: { host: home.redis.host, port: home.redis.port } })
const jobs = (count: number) => Array.from({ length: count }, () => ({ name: 'x', data: {} }))
const inSeconds = (seconds: number): string => new Date(Date.now() + seconds * 1000).toISOString()
const deployment = (name: string, holds: (object: Deployment) => boolean): Promise<Deployment | undefined> =>
  observe(home.client, deployments, { namespace, name }, (object) => object !== undefined && holds(object))
const pool = (name: string, holds: (object: WorkerPool) => boolean): Promise<WorkerPool | undefined> =>
  observe(home.client, workerPools, { namespace, name }, (object) => object !== undefined && holds(object))
const schedule = (name: string, holds: (object: TaskSchedule) => boolean): Promise<TaskSchedule | undefined> =>
  observe(home.client, taskSchedules, { namespace, name }, (object) => object !== undefined && holds(object))
const messageOf = (object: WorkerPool | TaskSchedule | undefined, type: string) => findCondition(object?.status?.conditions, type)?.message
const scale = (resource: typeof deployments | typeof workerPools, name: string, replicas: number) =>
  home.client.patchScale(resource, namespace, name, replicas, { fieldManager: 'kubectl' })

/** The operator has seen so many jobs, and has done what it does about them. */
const seesWaiting = (queue: string, count: number): Promise<void> =>
  untilGauge(home.operator, 'taskmill_queue_jobs', { namespace, queue, state: 'waiting' }, count)

/** As the command line writes it; undefined takes it back. */
async function override<T extends KubeObject>(resource: Resource<T>, name: string, fields: object | undefined): Promise<void> {
  const body = { metadata: { namespace, name }, ...(fields === undefined ? {} : { spec: { override: fields } }) }
  await home.client.apply(resource, body as never, { fieldManager: 'taskmill-cli', force: true, fieldValidation: 'Strict' })
}

/** `Reason: note`, in order of time. */
async function told(name: string): Promise<readonly string[]> {
  const { items } = await home.client.list<Event>(events, { namespace })
  return items
    .filter(({ regarding, reason }) => regarding.name === name && reason.startsWith('Override'))
    .map((e) => `${e.reason}: ${e.note}`)
}

it('holds a number of replicas, through applies of the manifest by others, until its end', async () => {
  const queue = queueOf('held')
  await queue.addBulk(jobs(20))
  await createPool(home.client, namespace, 'held', { queues: [{ name: 'held' }], scaling: quick })
  await deployment('held', ({ spec }) => spec.replicas === 2)
  const until = inSeconds(12)
  await override(workerPools, 'held', { replicas: 6, until, by: 'oncall', reason: 'incident 4711' })
  await deployment('held', ({ spec }) => spec.replicas === 6)
  const words = `6 replicas until ${until} by oncall: "incident 4711"`
  const overridden = await pool('held', ({ status }) => status?.desiredReplicas === 6)
  expect(messageOf(overridden, 'Overridden')).toBe(words)

  // As Argo CD and Flux do it: server-side, forced, with a manager of their own; and as people do it.
  const manifest = {
    apiVersion: 'taskmill.dev/v1alpha1',
    kind: 'WorkerPool',
    metadata: { name: 'held' },
    spec: {
      queues: [{ name: 'held' }],
      drainTimeoutSeconds: 60,
      scaling: { maxReplicas: 4, ...quick },
      template: { spec: { containers: [{ name: 'worker', image: 'localhost/none:1' }] } },
    },
  }
  const kubectl = (...args: string[]) =>
    run(tools.kubectl, ['--kubeconfig', home.cluster.kubeconfig, '--namespace', namespace, ...args, '-f', '-'], {
      input: JSON.stringify(manifest),
    })
  await kubectl('apply', '--server-side', '--force-conflicts', '--field-manager=argocd-controller')
  await kubectl('apply')
  const applied = await pool('held', ({ metadata, status }) => status?.observedGeneration === metadata.generation)
  expect(applied?.spec).toMatchObject({ drainTimeoutSeconds: 60, override: { replicas: 6, until } })
  expect(messageOf(applied, 'Overridden')).toBe(words)
  expect((await home.client.get(deployments, namespace, 'held')).spec.replicas).toBe(6)

  await deployment('held', ({ spec }) => spec.replicas === 2)
  expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(until))
  await pool('held', (object) => messageOf(object, 'Overridden') === undefined)
  await expect.poll(() => told('held'), { timeout: 20_000 }).toEqual([`OverrideStarted: ${words}`, `OverrideEnded: over: ${words}`])
  await queue.close()
})

it('suspends a pool with jobs until a user takes it back', async () => {
  const queue = queueOf('paused')
  await queue.addBulk(jobs(30))
  await createPool(home.client, namespace, 'paused', { queues: [{ name: 'paused' }], scaling: { minReplicas: 1, ...quick } })
  await deployment('paused', ({ spec }) => spec.replicas === 3)
  await override(workerPools, 'paused', { suspend: true, until: inSeconds(3600) })
  await deployment('paused', ({ spec }) => spec.replicas === 0)
  const suspended = await pool('paused', ({ status }) => status?.reason === 'OverrideActive' && status.ready === '0/0')
  expect(findCondition(suspended?.status?.conditions, 'Ready')).toMatchObject({ status: 'True', reason: 'ScaledToZero' })
  await queue.addBulk(jobs(30))
  await seesWaiting('paused', 60)
  expect((await home.client.get(deployments, namespace, 'paused')).spec.replicas).toBe(0)
  await override(workerPools, 'paused', undefined)
  await deployment('paused', ({ spec }) => spec.replicas === 6)
  expect((await home.client.get(workerPools, namespace, 'paused')).spec).not.toHaveProperty('override')
  await queue.close()
})

it('leaves Manual what it had: the number that was found, or the one that people wrote meanwhile', async () => {
  const queue = queueOf('manual')
  await queue.addBulk(jobs(20))
  await createPool(home.client, namespace, 'manual', { queues: [{ name: 'manual' }], scaling: quick })
  await deployment('manual', ({ spec }) => spec.replicas === 2)
  const manual = { metadata: { namespace, name: 'manual' }, spec: { scaling: { mode: 'Manual' } } }
  await home.client.apply(workerPools, manual as never, { fieldManager: 'mode', force: true })
  await pool('manual', ({ status }) => status?.ignoredReplicas === 0 && status.reason !== undefined)

  await override(workerPools, 'manual', { replicas: 5, until: inSeconds(3600) })
  await deployment('manual', ({ spec }) => spec.replicas === 5)
  await home.operator.kill()
  await override(workerPools, 'manual', undefined)
  home.startOperator()
  await deployment('manual', ({ spec }) => spec.replicas === 2)
  await pool('manual', ({ status }) => status !== undefined && !('replicasBeforeOverride' in status))

  await override(workerPools, 'manual', { replicas: 5, until: inSeconds(3600) })
  await deployment('manual', ({ spec }) => spec.replicas === 5)
  await scale(workerPools, 'manual', 7)
  await pool('manual', ({ metadata, status }) => status?.observedGeneration === metadata.generation)
  await queue.addBulk(jobs(10))
  await seesWaiting('manual', 30)
  expect((await home.client.get(deployments, namespace, 'manual')).spec.replicas).toBe(5)
  await override(workerPools, 'manual', undefined)
  await deployment('manual', ({ spec }) => spec.replicas === 7)
  await queue.close()
})

it('lets the last word of people count against a zero by hand', async () => {
  const queue = queueOf('zero')
  await queue.addBulk(jobs(20))
  await createPool(home.client, namespace, 'zero', { queues: [{ name: 'zero' }], scaling: quick })
  await deployment('zero', ({ spec }) => spec.replicas === 2)
  await scale(deployments, 'zero', 0)
  await pool('zero', ({ status }) => status?.reason === 'ScalingDisabled')
  await override(workerPools, 'zero', { suspend: true, until: inSeconds(6) })
  await pool('zero', (object) => messageOf(object, 'Overridden') !== undefined)
  await pool('zero', (object) => messageOf(object, 'Overridden') === undefined)
  await queue.addBulk(jobs(10))
  await seesWaiting('zero', 30)
  expect((await home.client.get(deployments, namespace, 'zero')).spec.replicas).toBe(0)
  await override(workerPools, 'zero', { replicas: 4, until: inSeconds(3600) })
  await deployment('zero', ({ spec }) => spec.replicas === 4)
  await scale(deployments, 'zero', 0)
  await pool('zero', ({ status }) => status?.reason === 'ScalingDisabled')
  await queue.close()
})

it('suspends a schedule until its end, and lets a suspended one run for a while', async () => {
  const queue = queueOf('ticks')
  await createSchedule(home.client, namespace, 'running', { everySeconds: 2, task: { type: 'run', queue: 'ticks' } })
  await createSchedule(home.client, namespace, 'resting', { everySeconds: 2, suspend: true, task: { type: 'rest', queue: 'ticks' } })
  await schedule('running', ({ status }) => (status?.nextRuns?.length ?? 0) > 0)
  await schedule('resting', ({ status }) => status?.reason === 'Suspended')
  // The queue has no worker: due jobs stay where they were placed.
  const placed = async (type: string, isCounted: (dueMs: number) => boolean) =>
    (await queue.getJobs(['waiting', 'delayed'])).filter(({ name, timestamp, delay }) => name === type && isCounted(timestamp + delay))
      .length
  const countOf = (type: string) => placed(type, (dueMs) => dueMs <= Date.now())
  const aheadOf = (type: string, afterMs: number) => placed(type, (dueMs) => dueMs > afterMs)

  const until = inSeconds(8)
  await override(taskSchedules, 'running', { suspend: true, until, by: 'oncall' })
  await override(taskSchedules, 'resting', { suspend: false, until, by: 'platform' })
  const suspended = await schedule('running', ({ status }) => status?.reason === 'OverrideActive')
  expect(messageOf(suspended, 'Overridden')).toBe(`suspended until ${until} by oncall`)
  expect(suspended?.status).not.toHaveProperty('nextRuns')
  await schedule('resting', ({ status }) => status?.reason === 'OverrideActive' && (status.nextRuns?.length ?? 0) > 0)
  expect(await aheadOf('run', Date.now() + 1000)).toBe(0)
  const before = await countOf('run')
  await expect.poll(() => countOf('rest'), { timeout: 20_000 }).toBeGreaterThan(0)
  expect(await countOf('run')).toBe(before)

  const again = await schedule('running', ({ status }) => (status?.nextRuns?.length ?? 0) > 0)
  expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(until))
  expect(again?.status?.missedRuns?.find(({ reason }) => reason === 'Suspended')?.count).toBeGreaterThan(0)
  await schedule('resting', ({ status }) => status?.reason === 'Suspended')
  await expect.poll(() => aheadOf('rest', Date.parse(until) + 2000), { timeout: 20_000 }).toBe(0)
  await expect.poll(() => countOf('run'), { timeout: 20_000 }).toBeGreaterThan(before)
  await expect
    .poll(() => told('running'), { timeout: 20_000 })
    .toEqual([`OverrideStarted: suspended until ${until} by oncall`, `OverrideEnded: over: suspended until ${until} by oncall`])
  await queue.close()
})
