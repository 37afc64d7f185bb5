/**
 * What Taskmill writes in Redis, and that all of it ends: the table of docs/brokers.md names every key, and a namespace that is deleted leaves
 * none.
 */
import { readFileSync } from 'node:fs'
import { Queue } from 'bullmq'
import { afterAll, beforeAll, expect, it } from 'vitest'
import {
  alertChannels,
  type KubeObject,
  type Resource,
  taskAlerts,
  taskBrokers,
  taskDependencies,
  taskExecutions,
  taskQueues,
  taskSchedules,
  workerPools,
} from '../../src/api/index.ts'
import { createAlert, createChannel } from '../support/alert-home.ts'
import { createBroker, createPool, createQueue, createSchedule } from '../support/manifests.ts'
import { ended, executionHome, type ExecutionHome } from './execution-home.ts'

let home: ExecutionHome

beforeAll(async () => {
  home = await executionHome('stored-keys')
})

afterAll(() => home?.stop())

/** The keys that the table names, each with the part behind the key prefix as an expression. */
function tableOfKeys(): readonly { readonly pattern: string; readonly matches: (key: string) => boolean }[] {
  const [, section = ''] = readFileSync(new URL('../../docs/brokers.md', import.meta.url), 'utf8').split('\n## What Taskmill stores\n')
  const patterns = Array.from(section.split('\n## ')[0]?.matchAll(/^\| `([^`]+)`/gmu) ?? [], ([, pattern = '']) => pattern)
  return patterns.map((pattern) => {
    const expression = pattern
      .replaceAll('.', '\\.')
      .replaceAll('*', '.+')
      .replaceAll('<queue>', '[^.:][^:]*')
      .replaceAll(/<\w+>/gu, '[^:]+')
    const regex = new RegExp(`^bull:${expression}$`, 'u')
    return { pattern, matches: (key) => regex.test(key) }
  })
}

const keys = async (): Promise<readonly string[]> => (await home.commands.keys('*')).toSorted()

/** What the deletion of the namespace deletes: the TaskBroker first, which is the worst order. */
const resources = [
  taskBrokers,
  alertChannels,
  taskAlerts,
  taskDependencies,
  taskExecutions,
  taskQueues,
  taskSchedules,
  workerPools,
] as readonly Resource<KubeObject>[]

it('every key is in the table, and none is left when the namespace is deleted', async () => {
  const { client, namespace, redis } = home
  const table = tableOfKeys()
  expect(table.length).toBeGreaterThan(7)
  const seen = new Set<string>()
  const look = async () => {
    for (const key of await keys()) {
      const rows = table.filter(({ matches }) => matches(key))
      expect(rows.length, `${key} stands in the table once`).toBe(1)
      for (const { pattern } of rows) seen.add(pattern)
    }
  }
  const task = { type: 'x', queue: 'work', retry: { maxRetries: 0 } }
  const worker = home.consume('work', async (job) => {
    if (job.data?.fails === true) throw new Error('it fails')
    if (job.data?.takesMs !== undefined) await new Promise((resolve) => setTimeout(resolve, job.data.takesMs))
    return { done: true }
  })
  const native = home.consume('native', async () => ({ done: true }))

  // Creation and use.
  await createPool(client, namespace, 'pool', { queues: [{ name: 'work' }], concurrency: 2 })
  await createQueue(client, namespace, 'work', { queueName: 'work', maxConcurrency: 5, retention: { completedSeconds: 3600 } })
  await createQueue(client, namespace, 'unused', { queueName: 'unused', suspend: true })
  await createSchedule(client, namespace, 'often', { everySeconds: 2, task })
  await createSchedule(client, namespace, 'scheduler', { everySeconds: 1, engine: 'BullMQ', task: { type: 'x', queue: 'native' } })
  await createSchedule(client, namespace, 'failing', {
    everySeconds: 3,
    concurrencyPolicy: 'Forbid',
    task: { ...task, payload: { fails: true } },
  })
  await createSchedule(client, namespace, 'grouped', {
    everySeconds: 1,
    concurrencyPolicy: 'Queue',
    concurrencyGroup: { name: 'warehouse', limit: 1 },
    task: { ...task, payload: { takesMs: 700 } },
  })
  await home.graph('graph', {
    nodes: [
      { name: 'a', task },
      { name: 'b', dependsOn: [{ name: 'a' }], task },
    ],
  })
  await createSchedule(client, namespace, 'graphs', { everySeconds: 4, dependencyRef: { name: 'graph' } })
  await createChannel(client, namespace, 'log', { log: {} })
  await createAlert(client, namespace, 'fails', {
    target: { kind: 'TaskSchedule', name: 'failing' },
    failureRate: { abovePercent: 50, minimumRuns: 1 },
    windowSeconds: 60,
    channelRefs: [{ name: 'log' }],
  })
  await home.execute('once', { task })
  await home.execute('expires', { task, ttlSecondsAfterFinished: 0 })
  await home.execute('run', { dependencyRef: { name: 'graph' } })
  await home.execution('once', ended)
  await home.execution('run', ended)
  await home.schedule('often', ({ status }) => status?.lastResult === 'Succeeded')
  await home.schedule('scheduler', ({ status }) => status?.lastResult === 'Succeeded')
  await home.schedule('failing', ({ status }) => status?.lastResult === 'Failed')
  await home.schedule('graphs', ({ status }) => status?.lastResult === 'Succeeded')
  // It has a field only while a run is active.
  const hasSeenGroup = async () => {
    await look()
    return seen.has('.taskmill:groups:<space>')
  }
  await expect.poll(hasSeenGroup, { timeout: 20_000 }).toBe(true)

  // Expiry: what a run with a TTL had goes with it.
  const runOf = (name: string) => `bull:.taskmill:run:default/${namespace}/run/${name}`
  await expect.poll(keys, { timeout: 20_000 }).not.toContain(runOf('expires'))
  expect(await keys()).toContain(runOf('once'))

  // Deletion.
  await home.deleteAll(resources)
  await worker.ran(5)
  const others = async () => (await keys()).filter((key) => !/^bull:(?:work|native):/u.test(key))
  await expect.poll(others, { timeout: 60_000 }).toEqual([])
  await Promise.all([worker.close(), native.close()])
  // The jobs of a job scheduler are added by workers: what BullMQ counts of a queue to which others add stays.
  const counted = ['bull:native:events', 'bull:native:id', 'bull:native:meta']
  await expect.poll(keys, { timeout: 60_000 }).toEqual(counted)
  await home.commands.del(...counted)
  expect(
    table.map(({ pattern }) => pattern).filter((pattern) => !seen.has(pattern)),
    'rows of the table that nothing wrote',
  ).toEqual([])

  // What a user's own producer adds stays.
  const queue = new Queue('work', { connection: { host: redis.host, port: redis.port } })
  await queue.add('theirs', { own: true }, { jobId: 'theirs' })
  await createBroker(client, namespace, redis.address)
  await home.execute('again', { task: { ...task, queue: 'other' } })
  await expect.poll(keys, { timeout: 20_000 }).toContain(`bull:other:meta`)
  await home.deleteAll(resources)
  await expect.poll(async () => (await keys()).filter((key) => !key.startsWith('bull:work:')), { timeout: 60_000 }).toEqual([])
  expect(await queue.getJob('theirs')).toBeDefined()
  await queue.close()
})
