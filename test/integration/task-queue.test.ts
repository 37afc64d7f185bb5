/** TaskQueues on a real API server and Redis, with plain BullMQ workers: what is declared holds, is seen, and is taken back. */
import { Queue, Worker } from 'bullmq'
import { Redis } from 'ioredis'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import {
  deployments,
  events,
  findCondition,
  taskBrokers,
  taskQueues,
  workerPools,
  type Event,
  type TaskQueue,
} from '../../src/api/index.ts'
import { queueSettingsKey } from '../../src/contract/index.ts'
import { observe } from '../support/cluster-client.ts'
import { createPool } from '../support/manifests.ts'
import { openOperatorHome, type OperatorHome } from '../support/operator-home.ts'

let home: OperatorHome
let namespace: string
let commands: Redis

beforeAll(async () => {
  home = await openOperatorHome('task-queue', ['standby'])
  ;({ namespace } = home)
  commands = new Redis({ host: home.redis.host, port: home.redis.port })
})

afterAll(async () => {
  commands?.disconnect()
  await home?.close()
})

const queueOf = (name: string): Queue => new Queue(name, { connection: { host: home.redis.host, port: home.redis.port } })
const jobs = (count: number) => Array.from({ length: count }, () => ({ name: 'x', data: {} }))
const declare = (name: string, spec: object, where = namespace): Promise<TaskQueue> =>
  home.client.apply(
    taskQueues,
    { metadata: { namespace: where, name }, spec },
    {
      fieldManager: 'test',
      force: true,
      fieldValidation: 'Strict',
    },
  )
const seen = (name: string, holds: (object: TaskQueue) => boolean, where = namespace): Promise<TaskQueue | undefined> =>
  observe(home.client, taskQueues, { namespace: where, name }, (object) => object !== undefined && holds(object))
const reasonOf = (object: TaskQueue | undefined, type: string) => findCondition(object?.status?.conditions, type)?.reason
const told = async (name: string): Promise<readonly string[]> =>
  (await home.client.list<Event>(events, { namespace })).items
    .filter(({ regarding }) => regarding.name === name)
    .map(({ reason }) => reason)

it('suspends a queue: plain workers begin nothing, its pool goes to zero, and all of it ends', async () => {
  const queue = queueOf('held')
  let started = 0
  const worker = new Worker('held', async () => void started++, {
    connection: { host: home.redis.host, port: home.redis.port, maxRetriesPerRequest: null },
  })
  await createPool(home.client, namespace, 'held', {
    queues: [{ name: 'held' }],
    scaling: { behavior: { scaleDown: { stabilizationWindowSeconds: 0 } } },
  })
  await declare('held', { queueName: 'held', suspend: true })
  const suspended = await seen('held', (object) => object.status?.suspended === 'Yes')
  expect([reasonOf(suspended, 'Ready'), reasonOf(suspended, 'Drifted')]).toEqual(['Suspended', 'AsDeclared'])
  await queue.addBulk(jobs(25))
  await sleep(2000)
  expect([started, (await home.client.get(deployments, namespace, 'held')).spec.replicas]).toEqual([0, 0])

  // A user resumes it past Git: it is paused again, with an Event.
  await queue.resume()
  await expect.poll(() => queue.isPaused(), { timeout: 20_000 }).toBe(true)
  await expect.poll(() => told('held'), { timeout: 20_000 }).toContain('DriftRepaired')

  await declare('held', { queueName: 'held', suspend: false })
  await expect.poll(() => started, { timeout: 20_000 }).toBe(25)
  // Numbers are written 30 s after the last time at the latest.
  await seen('held', (object) => object.status?.arrivalsPerMinute !== undefined)
  await seen('held', (object) => object.status?.suspended === 'No' && reasonOf(object, 'Ready') === 'Applied')
  await worker.close()
  await queue.close()
})

it('limits a queue and what its pool asks for, and gives back what was there when it is deleted', async () => {
  const queue = queueOf('narrow')
  await queue.setGlobalConcurrency(50)
  await queue.addBulk(jobs(100))
  await declare('narrow', { queueName: 'narrow', maxConcurrency: 4 })
  await seen('narrow', (object) => object.status?.limit === 4)
  await createPool(home.client, namespace, 'narrow', { queues: [{ name: 'narrow' }], concurrency: 2, scaling: { maxReplicas: 20 } })
  expect(await queue.getGlobalConcurrency()).toBe(4)
  await observe(home.client, deployments, { namespace, name: 'narrow' }, (object) => object?.spec.replicas === 2)
  const pool = await observe(
    home.client,
    workerPools,
    { namespace, name: 'narrow' },
    (object) => findCondition(object?.status?.conditions, 'ScalingLimited')?.reason === 'QueueConcurrencyLimited',
  )
  expect(pool?.status?.decision).toBe(
    '2 replicas: 100 jobs (100 waiting, 0 running) need 10 at 10 per replica, and 2 are enough: queue "narrow" runs at most 4 at once. ' +
      'Next: raise that limit (maxConcurrency of its TaskQueue) if what it protects has room.',
  )
  await home.client.delete(taskQueues, namespace, 'narrow')
  await observe(home.client, deployments, { namespace, name: 'narrow' }, (object) => object?.spec.replicas === 10)
  expect([await queue.getGlobalConcurrency(), await commands.exists('bull:.taskmill:queue:narrow')]).toEqual([50, 0])
  await queue.close()
})

it('leaves the pause of a person alone, and shows it', async () => {
  const queue = queueOf('theirs')
  await declare('theirs', { queueName: 'theirs' })
  await seen('theirs', (object) => reasonOf(object, 'Ready') === 'Applied')
  await queue.pause()
  const shown = await seen('theirs', (object) => object.status?.suspended === 'ByOthers')
  expect([reasonOf(shown, 'Ready'), reasonOf(shown, 'Drifted')]).toEqual(['Applied', 'PausedByOthers'])
  await home.client.delete(taskQueues, namespace, 'theirs')
  await expect.poll(() => commands.exists('bull:.taskmill:queue:theirs'), { timeout: 20_000 }).toBe(0)
  expect(await queue.isPaused()).toBe(true)
  await queue.close()
})

it('an override suspends for a while', async () => {
  const queue = queueOf('brief')
  await declare('brief', { queueName: 'brief' })
  const until = new Date(Date.now() + 8000).toISOString()
  const override = { metadata: { namespace, name: 'brief' }, spec: { override: { suspend: true, until, by: 'oncall' } } }
  await home.client.apply(taskQueues, override, { fieldManager: 'taskmill-cli', force: true })
  const shown = await seen('brief', (object) => object.status?.suspended === 'Override')
  expect(findCondition(shown?.status?.conditions, 'Overridden')?.message).toBe(`suspended until ${until} by oncall`)
  await seen('brief', (object) => object.status?.suspended === 'No' && reasonOf(object, 'Overridden') === undefined)
  expect([Date.now() >= Date.parse(until), await queue.isPaused()]).toEqual([true, false])
  await queue.close()
})

it('does not touch a record of a later version, and continues once that is gone', async () => {
  const record = queueSettingsKey('bull', 'recorded')
  await commands.hset(record, { v: '2', owner: 'somebody' })
  await declare('recorded', { queueName: 'recorded', maxConcurrency: 3 })
  const stalled = await seen('recorded', (object) => reasonOf(object, 'Stalled') === 'SettingsUnreadable')
  expect(findCondition(stalled?.status?.conditions, 'Ready')).toMatchObject({ status: 'False', reason: 'SettingsUnreadable' })
  expect(await commands.hgetall(record)).toEqual({ v: '2', owner: 'somebody' })
  expect(await commands.hget('bull:recorded:meta', 'concurrency')).toBeNull()
  await commands.del(record)
  await seen('recorded', (object) => reasonOf(object, 'Ready') === 'Applied' && object.status?.limit === 3)
  await home.client.delete(taskQueues, namespace, 'recorded')
})

it('of two for one queue the older decides, the other says so, and takes over when that goes', async () => {
  await declare('older', { queueName: 'shared', maxConcurrency: 3 })
  await seen('older', (object) => object.status?.limit === 3)
  // Kubernetes knows the time of a creation to the second.
  await sleep(1100)
  await declare('younger', { queueName: 'shared', maxConcurrency: 9 })
  const stalled = await seen('younger', (object) => reasonOf(object, 'Stalled') === 'PolicyConflict')
  expect(findCondition(stalled?.status?.conditions, 'Stalled')?.message).toBe(
    `TaskQueue "older" of namespace "${namespace}" configures queue "shared", so nothing of this one is applied. Next: delete one of the two`,
  )
  expect(await commands.hget('bull:shared:meta', 'concurrency')).toBe('3')
  await home.client.delete(taskQueues, namespace, 'older')
  await seen('younger', (object) => reasonOf(object, 'Ready') === 'Applied' && object.status?.limit === 9)
})

it('does not touch what a later version has recorded', async () => {
  await commands.hset('bull:.taskmill:queue:later', { v: '2', owner: `default/${namespace}/queue/later` })
  await declare('later', { queueName: 'later', suspend: true })
  await seen('later', (object) => reasonOf(object, 'Stalled') === 'SettingsUnreadable')
  expect(await commands.exists('bull:later:meta')).toBe(0)
})

it('applies nothing while another cluster acts here', async () => {
  const [standby = ''] = home.others
  const broker = {
    metadata: { namespace: standby, name: 'default' },
    spec: { standalone: { address: home.redis.address }, dispatch: 'Standby' },
  }
  await home.client.apply(taskBrokers, broker as never, { fieldManager: 'test', force: true })
  await declare('waiting', { queueName: 'waiting', suspend: true }, standby)
  const queue = queueOf('waiting')
  await queue.addBulk(jobs(3))
  await seen('waiting', (object) => reasonOf(object, 'Ready') === 'Standby', standby)
  await sleep(1500)
  expect(await queue.isPaused()).toBe(false)
  await queue.close()
})

it('takes back what was applied by one that was deleted while no operator looked', async () => {
  await declare('unseen', { queueName: 'unseen', suspend: true })
  await seen('unseen', (object) => object.status?.suspended === 'Yes')
  await home.operator.kill()
  await home.client.delete(taskQueues, namespace, 'unseen')
  home.startOperator()
  await expect.poll(() => commands.exists('bull:unseen:meta', 'bull:.taskmill:queue:unseen'), { timeout: 60_000 }).toBe(0)
})
