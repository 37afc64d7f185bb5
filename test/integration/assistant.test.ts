/** The handlers of `examples/assistant` on a real Redis, run by the worker as its pods run it; and its manifests, as kustomize renders them. */
import { mkdtemp, readdir, rm, utimes } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { run } from '../../hack/cluster/command.ts'
import { startRedis, type RedisServer } from '../../hack/cluster/redis.ts'
import type { KubeObject } from '../../src/api/index.ts'
import { lint } from '../../src/lint/index.ts'
import { queueOf } from './consumers.ts'

let redis: RedisServer
let store: Redis
let data: string
let worker: ReturnType<typeof spawn>
beforeAll(async () => {
  redis = await startRedis()
  store = new Redis({ host: redis.host, port: redis.port })
  data = await mkdtemp(join(tmpdir(), 'taskmill-assistant-'))
  worker = spawn(process.execPath, ['src/main/cli.ts', 'worker', '--tasks', 'examples/assistant/base/tasks.mjs'], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      PATH: process.env['PATH'] ?? '',
      DATA_FOLDER: data,
      TASKMILL_QUEUES: 'test',
      TASKMILL_BROKER_ADDRESS: redis.address,
      TASKMILL_CONCURRENCY: '4',
    },
  })
})
afterAll(async () => {
  worker.kill('SIGTERM')
  await once(worker, 'exit')
  store.disconnect()
  await redis.stop()
  await rm(data, { recursive: true, force: true })
})

const slot = '2026-11-24T09:00:00Z'
let runs = 0
/** What a handler returned, or the error that it failed with. */
async function result(type: string, payload: object, opts: object = {}): Promise<unknown> {
  await using queue = queueOf(redis, 'test')
  const id = `${type}-${runs++}`
  await queue.add(type, payload, { jobId: id, ...opts })
  for (;;) {
    const { returnvalue, failedReason, finishedOn } = await store.hgetall(`bull:test:${id}`)
    if (finishedOn !== undefined) return returnvalue === undefined ? failedReason : (JSON.parse(returnvalue) as unknown)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

test('mails: what is due becomes mail, mail is sent once, the summary counts the runs', async () => {
  await store.zadd('assistant:due', 1, 'call Ada', 2, 'call Grace', Date.now() + 600_000, 'not yet')
  expect(await result('process-due-ai-tasks', { slot, batch: 20 })).toEqual({ processed: 2 })
  expect(await result('process-due-ai-tasks', { slot, batch: 20 })).toEqual({ processed: 0 })
  expect(await result('process-email-queue', { slot, batch: 50 })).toEqual({ sent: 2 })
  expect(await result('process-email-queue', { slot, batch: 50 })).toEqual({ sent: 0 })
  expect(await store.hkeys('assistant:sent')).toEqual(['due-call Ada', 'due-call Grace'])
  expect(await result('send-daily-email-summary', { slot: new Date().toISOString(), periodSeconds: 60 })).toEqual({ runs: 4, schedules: 2 })
  // The book-keeping: which slot of which schedule ran, and how often.
  expect(await store.hgetall('assistant:runs:process-email-queue')).toEqual({ [slot]: '2' })
})

test('files: a backup can be read, old temporary files and old backups go', async () => {
  expect(await result('sync-calendar-events', { slot })).toEqual({ events: 8, conflicts: 2 })
  const backup = await result('backup-user-data', { slot, retainDays: 30 })
  expect(backup).toMatchObject({ place: join(data, 'backups', '2026-11-24T090000Z.json.gz'), removed: 0 })
  const clean = { slot, olderThanSeconds: 86_400, folders: ['uploads', 'exports', 'cache'] }
  expect(await result('cleanup-temp-files', clean)).toEqual({ filesRemoved: 0, bytes: 0 })
  const yesterday = new Date(Date.now() - 90_000_000)
  await utimes(join(data, 'tmp', 'exports', '2026-11-24T090000Z.json'), yesterday, yesterday)
  expect(await result('cleanup-temp-files', clean)).toMatchObject({ filesRemoved: 1 })
  await utimes(join(data, 'backups', '2026-11-24T090000Z.json.gz'), yesterday, yesterday)
  expect(await result('backup-user-data', { slot: '2026-11-25T09:00:00Z', retainDays: 1 })).toMatchObject({ removed: 1 })
  expect(await readdir(join(data, 'backups'))).toEqual(['2026-11-25T090000Z.json.gz'])
})

test('upkeep: sessions, logs, indexes, and a far server that is away', async () => {
  await store.zadd('assistant:sessions', Date.now() - 1e9, 'ada/1', Date.now(), 'ada/2', Date.now(), 'grace/3')
  expect(await result('cleanup-old-sessions', { slot, idleSeconds: 604_800 })).toEqual({ removed: 1 })
  expect(await result('optimize-database', { slot })).toMatchObject({ indexes: 1, rows: 2 })
  expect(await store.smembers('assistant:users')).toHaveLength(2)
  expect(await result('test-scheduler-connection', { slot: new Date().toISOString() })).toMatchObject({ pingMs: expect.any(Number) })
  expect(await result('cleanup-old-logs', { slot, keepSeconds: -1 })).toMatchObject({ removed: expect.any(Number) })
  expect(await store.xlen('assistant:log')).toBe(1) // the run that cleaned up
  expect(await result('sync-notion-pages', { slot, simulateOutage: true })).toBe('Notion answered 503')
  expect(await store.exists('assistant:runs:sync-notion-pages')).toBe(0)
  expect(await result('sync-notion-pages', { slot, simulateOutage: true }, { attempts: 2 })).toEqual({ pages: 2 })
})

test.each(['base', 'overlays/small'])(
  '%s: five pools, a queue, twelve schedules, a graph and two alerts, in which nothing is to be corrected',
  async (folder) => {
    const text = await run('kubectl', ['kustomize', `examples/assistant/${folder}`])
    const objects = parseAllDocuments(text).map((document) => document.toJS() as KubeObject)
    const count = (kind: string) => objects.filter((object) => object.kind === kind).length
    const counts = { TaskBroker: 1, WorkerPool: 5, TaskQueue: 1, TaskSchedule: 12, TaskDependency: 1, TaskAlert: 2, AlertChannel: 1 }
    for (const [kind, expected] of Object.entries(counts)) expect([kind, count(kind)]).toEqual([kind, expected])
    const report = lint([{ path: 'rendered', text, isNamed: true }], { isComplete: true })
    expect(report).toMatchObject({ findings: [], manifests: 23 })
  },
)
