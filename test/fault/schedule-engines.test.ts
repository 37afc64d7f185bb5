/**
 * The operator is killed between any two statements that create, stop, read or remove a CronJob, or that hand the clock of a schedule over,
 * once at every point, while the engine changes there and back beside the real CronJob controller. Each minute must come out as one Job, or
 * as missed with a reason.
 */
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startRedis, type RedisServer } from '../../hack/cluster/redis.ts'
import { type Job, jobs, type TaskSchedule, taskSchedules } from '../../src/api/index.ts'
import { annotations, type Slot } from '../../src/contract/index.ts'
import { openCluster, type TestCluster } from '../support/cluster.ts'
import { observe } from '../support/cluster-client.ts'
import { createSchedule } from '../support/manifests.ts'
import { type OperatorProcess, startOperator } from '../support/operator-process.ts'
import { applyBroker, connectRedis, type Home, ledgerOf } from '../support/schedule-home.ts'

const name = 'minutely'
const steps = [
  ...['create', 'update', 'stop', 'delete'].map((what) => `${what} cron job`),
  'cron job status',
  ...['start', 'stop', 'survey', 'remove'].map((what) => `${what} primitive`),
  ...['follow', 'hand over'].map((what) => `write ${what}`),
]
const points = steps.flatMap((step) => [`before ${step}`, `after ${step}`])
/** So many worlds at once; each is killed at some of the points, one after the other. */
const worlds = 4
const operators: OperatorProcess[] = []
let cluster: TestCluster
let redis: RedisServer
let commands: Redis

beforeAll(async () => {
  ;[cluster, redis] = await Promise.all([openCluster(), startRedis()])
  commands = connectRedis(redis)
})

afterAll(async () => {
  await Promise.allSettled(operators.map((operator) => operator.kill()))
  commands?.disconnect()
  await Promise.allSettled([redis?.stop(), cluster?.close()])
})

function launch({ namespace }: Home, point?: string): OperatorProcess {
  const operator = startOperator({ cluster, namespaces: [namespace], ...(point === undefined ? {} : { env: { KILL_AT: `${point}#1` } }) })
  operators.push(operator)
  return operator
}

const engineOf = ({ namespace }: Home, engine: 'CronJob' | 'Taskmill', suspend = false): Promise<TaskSchedule> =>
  cluster.client.patch(taskSchedules, { metadata: { namespace, name }, spec: { engine, suspend } }, { fieldManager: 'test' })

const untilLedger = async (home: Home, holds: (ledger: NonNullable<Awaited<ReturnType<typeof ledgerOf>>>) => boolean): Promise<void> => {
  for (;;) {
    const ledger = await ledgerOf(home, name)
    if (ledger !== undefined && holds(ledger)) return
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

/** Changes the engine there and back until the operator is killed at its point; at a write that a run brings, it waits for the next minute. */
async function changeEngines(home: Home, point: string, hasEnded: () => boolean): Promise<void> {
  const ended = async (): Promise<void> => {
    while (!hasEnded()) await new Promise((resolve) => setTimeout(resolve, 100))
  }
  for (;;) {
    for (const engine of ['CronJob', 'Taskmill'] as const) {
      await engineOf(home, engine)
      const isOwner = untilLedger(home, ({ timing }) => (timing.engine ?? 'Taskmill') === engine)
      await Promise.race([isOwner, ended()])
      if (engine === 'CronJob' && point.endsWith('write follow')) await ended()
      // What the new owner does first may be the point, too.
      await Promise.race([ended(), new Promise((resolve) => setTimeout(resolve, 2_000))])
      if (hasEnded()) return
    }
  }
}

function slotOf({ metadata }: Job): Slot {
  const [, year, month, day, hour, minute, second] =
    /(....)(..)(..)T(..)(..)(..)Z$/u.exec(metadata.annotations?.[annotations.jobId] ?? '') ?? []
  if (year === undefined) return Number(metadata.name.replace(/^.*-/u, '')) * 60
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`) / 1000
}

async function live(index: number): Promise<readonly string[]> {
  const namespace = await cluster.createNamespace(`engines-${index}`)
  const home: Home = { client: cluster.client, commands, namespace, recordFile: '' }
  await applyBroker(home, redis, 'Active')
  const template = { spec: { restartPolicy: 'Never' as const, containers: [{ name: 'main', image: 'acme:1' }] } }
  const { metadata } = await createSchedule(cluster.client, namespace, name, {
    schedules: ['* * * * *'],
    job: { spec: { template } },
  })
  for (const point of points.filter((_, at) => at % worlds === index)) {
    const doomed = launch(home, point)
    let isOver = false
    const over = doomed.exited.then(() => (isOver = true))
    await changeEngines(home, point, () => isOver)
    await over
    expect(doomed.lines.filter(({ msg }) => msg === 'struck').map((line) => line['point'])).toEqual([point])
  }
  const operator = launch(home)
  await engineOf(home, 'CronJob')
  const { dispatched = 0 } = (await ledgerOf(home, name)) ?? {}
  await untilLedger(home, (ledger) => ledger.timing.engine === 'CronJob' && ledger.dispatched > dispatched)
  await engineOf(home, 'CronJob', true)
  await untilLedger(home, ({ timing }) => timing.suspended)
  await observe(cluster.client, taskSchedules, { namespace, name }, (object) => object?.status?.reason === 'Suspended')
  const ledger = await ledgerOf(home, name)
  await operator.stop()
  if (ledger === undefined) return ['the ledger is gone']
  const { items } = await cluster.client.list<Job>(jobs, { namespace, labelSelector: `taskmill.dev/schedule=${name}` })
  const slots = items.map(slotOf).toSorted((a, b) => a - b)
  const missed = Object.values(ledger.missed).reduce((sum, { count }) => sum + count, 0)
  const due = Math.floor(ledger.cursor / 60) - Math.floor(Date.parse(metadata.creationTimestamp ?? '') / 60_000)
  console.log(`${namespace}: ${due} due, ${slots.length} ran, missed: ${JSON.stringify(ledger.missed)}`)
  return [
    ...slots.filter((slot, at) => slot === slots[at - 1]).map((slot) => `${namespace}: slot ${slot} has two Jobs`),
    ...(ledger.dispatched === slots.length ? [] : [`${namespace}: ${ledger.dispatched} dispatched, ${slots.length} ran`]),
    ...(due === slots.length + missed ? [] : [`${namespace}: ${due} due, ${slots.length} ran, ${missed} missed`]),
  ]
}

it('killed at every point, while the engine changes there and back', { timeout: 600_000 }, async () => {
  const wrong = await Promise.all(Array.from({ length: worlds }, (_, index) => live(index)))
  expect(wrong.flat()).toEqual([])
})
