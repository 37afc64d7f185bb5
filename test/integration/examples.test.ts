/** `examples/public-data` and `examples/reports` as kustomize renders them: nothing is to be corrected, and what their schedules start can be run by their own handlers. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { run } from '../../hack/cluster/command.ts'
import { startRedis, type RedisServer } from '../../hack/cluster/redis.ts'
import type { KubeObject, TaskSchedule } from '../../src/api/index.ts'
import { lint } from '../../src/lint/index.ts'
import { queueOf } from './consumers.ts'

let redis: RedisServer
let store: Redis
beforeAll(async () => {
  redis = await startRedis()
  store = new Redis({ host: redis.host, port: redis.port })
})
afterAll(async () => {
  store.disconnect()
  await redis.stop()
})

async function rendered(folder: string): Promise<{ readonly text: string; readonly objects: readonly KubeObject[] }> {
  const text = await run('kubectl', ['kustomize', `examples/${folder}`])
  return { text, objects: parseAllDocuments(text).map((document) => document.toJS() as KubeObject) }
}

const slot = '2026-11-24T09:00:00Z'
const withSlot = (value: unknown): Record<string, unknown> =>
  JSON.parse(JSON.stringify(value).replaceAll('$(slot)', slot)) as Record<string, unknown>

describe.each([
  { name: 'public-data', counts: { TaskBroker: 1, WorkerPool: 1, TaskSchedule: 12 } },
  { name: 'reports', counts: { TaskBroker: 1, WorkerPool: 2, TaskSchedule: 9 } },
])('$name', ({ name, counts }) => {
  it.each(['base', 'overlays/small'])('%s has nothing to correct', async (folder) => {
    const { text, objects } = await rendered(`${name}/${folder}`)
    for (const [kind, expected] of Object.entries(counts)) {
      expect([kind, objects.filter((object) => object.kind === kind).length]).toEqual([kind, expected])
    }
    expect(lint([{ path: 'rendered', text, isNamed: true }], { isComplete: true })).toMatchObject({ findings: [] })
  })

  it('each schedule starts something that its handlers can do, and its slot is in the book', async () => {
    const { objects } = await rendered(`${name}/overlays/small`)
    const schedules = objects.filter((object): object is TaskSchedule => object.kind === 'TaskSchedule')
    const queues = new Set(schedules.flatMap(({ spec }) => spec.task?.queue ?? []))
    const env = { PATH: process.env['PATH'] ?? '', TASKMILL_BROKER_ADDRESS: redis.address }
    const worker = spawn(process.execPath, ['src/main/cli.ts', 'worker', '--tasks', `examples/${name}/base/tasks.mjs`], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...env, TASKMILL_QUEUES: [...queues].join(','), TASKMILL_CONCURRENCY: '4' },
    })
    try {
      await Promise.all(
        schedules.map(async ({ metadata, spec }) => {
          if (spec.task !== undefined) await runTask(metadata.name, spec.task)
          else await runJob(spec.job, env)
        }),
      )
    } finally {
      worker.kill('SIGTERM')
      await once(worker, 'exit')
    }
    const booked = await store.smembers('assistant:schedules')
    expect(booked.filter((each) => each.startsWith(`${name}/`)).toSorted((a, b) => (a < b ? -1 : 1))).toEqual(
      schedules.map(({ metadata }) => `${name}/${metadata.name}`).toSorted((a, b) => (a < b ? -1 : 1)),
    )
    for (const each of booked) expect(await store.hgetall(`assistant:runs:${each}`)).toEqual({ [slot]: '1' })
  })
})

async function runTask(id: string, task: NonNullable<TaskSchedule['spec']['task']>): Promise<void> {
  await using queue = queueOf(redis, task.queue)
  // The ids of jobs of a job scheduler end with their slot.
  const jobId = `repeat:${id}:${Date.parse(slot)}`
  await queue.add(task.type, withSlot(task.payload ?? {}), { jobId })
  for (;;) {
    const { failedReason, finishedOn } = await store.hgetall(`bull:${task.queue}:${jobId}`)
    if (finishedOn !== undefined) return expect([id, failedReason]).toEqual([id, undefined])
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** The command of its container, in the environment that it has there; the code lies where the ConfigMap is mounted. */
async function runJob(job: TaskSchedule['spec']['job'], env: Readonly<Record<string, string>>): Promise<void> {
  const { containers } = podOf(withSlot(job))
  const [{ command = [], env: variables = [] } = {}] = containers
  const own = Object.fromEntries(variables.map(({ name, value = `report-${Date.parse(slot) / 60_000}` }) => [name, value]))
  const file = command[1]?.replace('/app/reports/', 'examples/reports/base/') ?? ''
  await promisify(execFile)(process.execPath, [file], { env: { ...own, ...env } })
}

type Container = { readonly command?: readonly string[]; readonly env?: readonly { readonly name: string; readonly value?: string }[] }

function podOf(job: Record<string, unknown>): { readonly containers: readonly Container[] } {
  return (job as { readonly spec: { readonly template: { readonly spec: { readonly containers: readonly Container[] } } } }).spec.template
    .spec
}
