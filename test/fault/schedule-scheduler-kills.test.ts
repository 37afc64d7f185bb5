/**
 * The operator is killed between any two statements that create, remove or follow a job scheduler of BullMQ, or that hand the clock of a schedule
 * over, once at every point, while the engine changes there and back beside a BullMQ worker. Each second must come out as one run, or as missed
 * with a reason. Runs are counted by the handler itself.
 */
import { Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startRedis, type RedisServer } from '../../hack/cluster/redis.ts'
import { type TaskSchedule, taskSchedules } from '../../src/api/index.ts'
import { parseSlotJobId } from '../../src/contract/index.ts'
import { openCluster, type TestCluster } from '../support/cluster.ts'
import { createSchedule } from '../support/manifests.ts'
import { type OperatorProcess, startOperator } from '../support/operator-process.ts'
import { applyBroker, connectRedis, type Home, ledgerOf, untilLedger } from '../support/schedule-home.ts'

const name = 'secondly'
const steps = [...['start', 'stop'].map((what) => `${what} primitive`), ...['follow', 'hand over'].map((what) => `write ${what}`)]
const points = steps.flatMap((step) => [`before ${step}`, `after ${step}`])
/** So many worlds at once; each is killed at some of the points, one after the other. */
const worlds = 2
const operators: OperatorProcess[] = []
const workers: Worker[] = []
let cluster: TestCluster
let redis: RedisServer
let commands: Redis

beforeAll(async () => {
  ;[cluster, redis] = await Promise.all([openCluster(), startRedis()])
  commands = connectRedis(redis)
})

afterAll(async () => {
  await Promise.allSettled([...operators.map((operator) => operator.kill()), ...workers.map((worker) => worker.close(true))])
  commands?.disconnect()
  await Promise.allSettled([redis?.stop(), cluster?.close()])
})

function launch({ namespace }: Home, point?: string): OperatorProcess {
  const operator = startOperator({ cluster, namespaces: [namespace], ...(point === undefined ? {} : { env: { KILL_AT: `${point}#1` } }) })
  operators.push(operator)
  return operator
}

const engineOf = ({ namespace }: Home, engine: 'BullMQ' | 'Taskmill', suspend = false): Promise<TaskSchedule> =>
  cluster.client.patch(taskSchedules, { metadata: { namespace, name }, spec: { engine, suspend } }, { fieldManager: 'test' })

const ownedBy = (home: Home, engine: 'BullMQ' | 'Taskmill'): Promise<void> =>
  untilLedger(home, name, `${engine} owns the clock`, ({ timing }) => (timing.engine ?? 'Taskmill') === engine)

/** Changes the engine there and back until the operator is killed at its point. */
async function changeEngines(home: Home, { exited }: OperatorProcess): Promise<void> {
  const over = exited.then(() => true)
  for (;;) {
    for (const engine of ['BullMQ', 'Taskmill'] as const) {
      await engineOf(home, engine)
      if (await Promise.race([over, ownedBy(home, engine).then(() => false)])) return
      // What the new owner does first may be the point, too.
      if (await Promise.race([over, new Promise((resolve) => setTimeout(() => resolve(false), 2_000))])) return
    }
  }
}

/** The ids of all runs, in order. */
function work(queue: string): readonly string[] {
  const ran: string[] = []
  const worker = new Worker(queue, (job) => Promise.resolve(void ran.push(job.id ?? '')), {
    connection: { host: redis.host, port: redis.port, maxRetriesPerRequest: null },
    concurrency: 5,
  })
  worker.on('error', () => undefined)
  workers.push(worker)
  return ran
}

const secondOf = (id: string): number => parseSlotJobId(id)?.slot ?? Number(id.replace(/^.*:/u, '')) / 1000

async function live(index: number): Promise<readonly string[]> {
  const namespace = await cluster.createNamespace(`scheduler-kills-${index}`)
  const home: Home = { client: cluster.client, commands, namespace, recordFile: '' }
  const ran = work(namespace)
  await applyBroker(home, redis, 'Active')
  const { metadata } = await createSchedule(cluster.client, namespace, name, {
    everySeconds: 1,
    task: { type: 'record', queue: namespace },
  })
  for (const point of points.filter((_, at) => at % worlds === index)) {
    const doomed = launch(home, point)
    await changeEngines(home, doomed)
    expect(doomed.lines.filter(({ msg }) => msg === 'struck').map((line) => line['point'])).toEqual([point])
  }
  const operator = launch(home)
  await engineOf(home, 'BullMQ')
  const { dispatched = 0 } = (await ledgerOf(home, name)) ?? {}
  await untilLedger(
    home,
    name,
    'BullMQ dispatches',
    ({ timing, ...ledger }) => timing.engine === 'BullMQ' && ledger.dispatched > dispatched + 2,
  )
  await engineOf(home, 'BullMQ', true)
  await untilLedger(home, name, 'it is suspended, and nothing runs', ({ timing, active }) => timing.suspended && active.length === 0)
  const ledger = await ledgerOf(home, name)
  await operator.stop()
  if (ledger === undefined) return ['the ledger is gone']
  const seconds = ran.map(secondOf)
  const missed = Object.values(ledger.missed).reduce((sum, { count }) => sum + count, 0)
  const due = ledger.cursor - Date.parse(metadata.creationTimestamp ?? '') / 1000
  console.log(`${namespace}: ${due} due, ${seconds.length} ran, missed: ${JSON.stringify(ledger.missed)}`)
  return [
    ...seconds.filter((second, at) => seconds.indexOf(second) < at).map((second) => `${namespace}: second ${second} ran twice`),
    ...(ledger.dispatched === seconds.length ? [] : [`${namespace}: ${ledger.dispatched} dispatched, ${seconds.length} ran`]),
    ...(due === seconds.length + missed ? [] : [`${namespace}: ${due} due, ${seconds.length} ran, ${missed} missed`]),
  ]
}

it('killed at every point, while the engine changes there and back', { timeout: 600_000 }, async () => {
  const wrong = await Promise.all(Array.from({ length: worlds }, (_, index) => live(index)))
  expect(wrong.flat()).toEqual([])
})
