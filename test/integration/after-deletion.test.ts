/**
 * What the operator still remembers of objects that are gone: a snapshot of its heap names none of them, wherever it was kept. Caches, plans,
 * metrics, records of brokers, timers and subscriptions are all found this way, also those that are added later.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import {
  alertChannels,
  findCondition,
  type KubeObject,
  type Resource,
  taskAlerts,
  taskDependencies,
  taskExecutions,
  taskQueues,
  taskSchedules,
  workerPools,
} from '../../src/api/index.ts'
import { createAlert, createChannel } from '../support/alert-home.ts'
import { createPool, createQueue, createSchedule } from '../support/manifests.ts'
import { connectionOf, type OperatorProcess, startOperator } from '../support/operator-process.ts'
import { ended, executionHome, type ExecutionHome } from './execution-home.ts'

/** Of each kind: one may be named by something that keeps only the last of all, an index of all names them all. */
const count = 8
/** No other text has it in it. */
const mark = 'departed'
const numbers = Array.from({ length: count }, (_, index) => index)
const kinds = ['pool', 'queue', 'schedule', 'starter', 'graph', 'run', 'alert', 'channel'] as const
const nameOf = (kind: (typeof kinds)[number], index: number): string => `${mark}-${kind}-${index}`

let home: ExecutionHome
let operator: OperatorProcess
const folder = mkdtempSync(join(tmpdir(), 'taskmill-heap-'))

beforeAll(async () => {
  home = await executionHome('after-deletion')
  await home.operator.stop()
  operator = startOperator({
    cluster: home.cluster,
    namespaces: [home.namespace],
    entry: ['--heapsnapshot-signal=SIGUSR2', `--diagnostic-dir=${folder}`, 'test/support/test-operator.ts'],
    env: { KUBECONFIG: '', ...connectionOf(home.cluster) },
  })
})

afterAll(async () => {
  await operator?.stop()
  await home?.stop()
  rmSync(folder, { recursive: true })
})

/** Events of the last minutes are kept, at most 1,000, to count those that repeat. */
const isOfEvent = (text: string): boolean => / (?:Normal|Warning) /u.test(text)

/** Every text in the heap, after a full garbage collection, that names an object of the namespace as the keys of maps do. */
async function markedTexts(): Promise<readonly string[]> {
  const { port } = await operator.logged('operator started')
  operator.signal('SIGUSR2')
  await expect.poll(() => readdirSync(folder), { timeout: 60_000 }).toHaveLength(1)
  // It answers nothing until the file is complete.
  await fetch(`http://127.0.0.1:${String(port)}/livez`)
  const [name = ''] = readdirSync(folder)
  const file = join(folder, name)
  const { strings } = JSON.parse(readFileSync(file, 'utf8')) as { readonly strings: readonly string[] }
  rmSync(file)
  return strings.filter((text) => text.includes(mark) && text.includes(home.namespace) && !isOfEvent(text))
}

/** The kinds of which every single object is named. */
function fullyNamedIn(texts: readonly string[]): readonly string[] {
  return kinds.filter((kind) => numbers.every((index) => texts.some((text) => text.includes(nameOf(kind, index)))))
}

/** Of how many objects a kind is named that is named most. A worker of a controller can hold its last key until it gets another one. */
function mostNamedIn(texts: readonly string[]): number {
  return Math.max(...kinds.map((kind) => numbers.filter((index) => texts.some((text) => text.includes(nameOf(kind, index)))).length))
}

async function createAll(): Promise<void> {
  const { client, namespace } = home
  const task = { type: 'x', queue: `${mark}-work`, retry: { maxRetries: 0 } }
  for (const index of numbers) {
    const queue = `${mark}-jobs-${index}`
    await createPool(client, namespace, nameOf('pool', index), { queues: [{ name: queue }] })
    await createQueue(client, namespace, nameOf('queue', index), { queueName: queue, maxConcurrency: 5 })
    await home.graph(nameOf('graph', index), { nodes: [{ name: 'a', task }] })
    await createSchedule(client, namespace, nameOf('schedule', index), { everySeconds: 2, concurrencyPolicy: 'Forbid', task })
    await createSchedule(client, namespace, nameOf('starter', index), {
      everySeconds: 20,
      dependencyRef: { name: nameOf('graph', index) },
    })
    await createChannel(client, namespace, nameOf('channel', index), { log: {} })
    await createAlert(client, namespace, nameOf('alert', index), {
      target: { kind: 'TaskSchedule', name: nameOf('schedule', index) },
      failureRate: { abovePercent: 50, minimumRuns: 1 },
      windowSeconds: 60,
      channelRefs: [{ name: nameOf('channel', index) }],
    })
    await home.execute(nameOf('run', index), { task })
  }
}

/** Until all of them have been worked on. */
async function untilUsed(): Promise<void> {
  const { client, namespace } = home
  const all = async <T extends KubeObject>(resource: Resource<T>): Promise<readonly T[]> =>
    (await client.list(resource, { namespace })).items
  const areReady = async () => {
    const objects = (
      await Promise.all([workerPools, taskQueues, taskAlerts, taskSchedules].map((each) => all(each as Resource<KubeObject>)))
    ).flat()
    return objects.every((object) => {
      const { conditions } = (object['status' as keyof KubeObject] ?? {}) as unknown as { readonly conditions?: [] }
      return findCondition(conditions, 'Ready') !== undefined
    })
  }
  await expect.poll(areReady, { timeout: 60_000 }).toBe(true)
  await expect.poll(async () => (await all(taskExecutions)).filter(ended).length, { timeout: 60_000 }).toBeGreaterThanOrEqual(2 * count)
  for (const index of numbers) await home.schedule(nameOf('schedule', index), ({ status }) => status?.lastResult !== undefined)
}

/** All kinds of which there are objects. */
const resources = [
  alertChannels,
  taskAlerts,
  taskSchedules,
  taskDependencies,
  taskExecutions,
  taskQueues,
  workerPools,
] as readonly Resource<KubeObject>[]

it('nothing in the heap names what is gone, but for the last of a kind, and for the memory of deleted runs, which is bounded', async () => {
  const { namespace } = home
  home.consume(`${mark}-work`, async () => 'done')
  await createAll()
  await untilUsed()
  expect(fullyNamedIn(await markedTexts())).toEqual(kinds)

  await home.deleteAll(resources)
  // After a take-over a run of the same name is another one: the newest 10,000 keys are kept.
  const isDeletedRun = (text: string): boolean => text.startsWith(`${namespace}/`) && /-(?:run|starter)-\d+(?:-[a-z0-9]+)?$/u.test(text)
  await expect
    .poll(async () => mostNamedIn((await markedTexts()).filter((text) => !isDeletedRun(text))), { timeout: 90_000, interval: 3_000 })
    .toBeLessThanOrEqual(1)
}, 240_000)
