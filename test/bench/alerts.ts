/**
 * What 200 alerts cost, and how soon one fires. A pass: the counts of the window of 200 alerts on 200 queues are read, and each alert is
 * judged; against asking BullMQ for its own metrics of each queue, as an alert script does. Failure -> Firing: a job fails for good in a plain
 * BullMQ worker, and the time is taken until its alert's condition is True, as seen by a watch; 200 others are there. Its peer asks BullMQ
 * once a second how many jobs have failed.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Queue, Worker } from 'bullmq'
import { startControlPlane } from '../../hack/cluster/control-plane.ts'
import { type RedisServer, startRedis } from '../../hack/cluster/redis.ts'
import { advance, type AlertCondition, decideNotifications, measure, minutesOf, newRecord } from '../../src/alerting/index.ts'
import { findCondition, type TaskAlert, taskAlerts } from '../../src/api/index.ts'
import { connectBroker } from '../../src/broker/index.ts'
import { systemClock } from '../../src/clock/index.ts'
import { createInformer, type KubeClient } from '../../src/kube/index.ts'
import { silentLogger } from '../../src/observability/index.ts'
import { createAlert } from '../support/alert-home.ts'
import { connectCluster, installCrds } from '../support/cluster-client.ts'
import { createBroker, createExecution, createQueue } from '../support/manifests.ts'
import { sendAll } from './at-once.ts'
import { startBenchedOperator } from './operator.ts'
import { printComparison } from './table.ts'

const namespace = 'default'
const alerts = 200
const passes = 50
const pollMs = 1000
const condition: AlertCondition = { kind: 'failureRate', abovePercent: 10, minimumRuns: 1, windowSeconds: 300 }

export async function benchAlerts(rounds: number): Promise<void> {
  await using redis = await startRedis()
  await printPasses(redis)
  await using controlPlane = await startControlPlane()
  await using client = await connectCluster(controlPlane.kubeconfig)
  await installCrds(client)
  await using _operator = startBenchedOperator(controlPlane)
  await createBroker(client, namespace, redis.address)
  await printFirings(client, redis, rounds)
}

async function printPasses(redis: RedisServer): Promise<void> {
  const names = Array.from({ length: alerts }, (_, index) => `pass-${index}`)
  const connection = { host: redis.host, port: redis.port }
  const broker = connectBroker({ address: redis.address, keyPrefix: 'bull', log: silentLogger, clock: systemClock })
  const queues = names.map((name) => new Queue(name, { connection }))
  let records = names.map(() => newRecord(Date.now()))
  const channels = new Map([['oncall', { minimumSeverity: 'Info', sendResolved: true } as const]])
  const turns = {
    async ours() {
      const nowMs = Date.now()
      const window = minutesOf(300, nowMs)
      const requests = names.map((subject) => ({ namespace, subjectKind: 'Queue' as const, subject, ...window }))
      const { counts } = await broker.readCounts('default', requests)
      records = records.map((record, index) => {
        const sums = counts[index] ?? { succeeded: 0, failed: 0, missed: 0 }
        const judged = advance(record, measure(condition, { kind: 'Counts', ...sums }, nowMs), 60, nowMs)
        return decideNotifications(judged.record, { severity: 'Warning', cooldownSeconds: 300, channels }, nowMs).record
      })
    },
    async theirs() {
      const all = await Promise.all(
        queues.map(async (queue) => {
          const [failed, completed] = await Promise.all([queue.getMetrics('failed', 0, 5), queue.getMetrics('completed', 0, 5)])
          const sum = (data: readonly (number | string)[]): number => data.reduce((total: number, each) => total + Number(each), 0)
          return { failed: sum(failed.data), succeeded: sum(completed.data) }
        }),
      )
      return all.filter(({ failed, succeeded }) => failed * 100 > 10 * (failed + succeeded))
    },
  }
  const times = { ours: [] as number[], theirs: [] as number[] }
  for (const side of ['ours', 'theirs'] as const) await turns[side]()
  for (let pass = 0; pass < passes; pass += 1) {
    for (const side of ['ours', 'theirs'] as const) {
      const startedMs = performance.now()
      await turns[side]()
      times[side].push(performance.now() - startedMs)
    }
  }
  printComparison(`one pass over ${alerts} alerts: read and judged`, 'ms', times.ours, times.theirs, 'getMetrics of each queue')
  await Promise.all([...queues.map((queue) => queue.close()), broker.close()])
}

/** Each round has a queue, an alert and a worker of its own, so that each alert fires once. */
async function printFirings(client: KubeClient, redis: RedisServer, rounds: number): Promise<void> {
  const idle = Array.from({ length: alerts }, (_, index) => `idle-${index}`)
  const names = Array.from({ length: rounds }, (_, index) => `round-${index}`)
  const stop = new AbortController()
  const seen = watchAlerts(client, stop.signal)
  await sendAll(
    [...idle, ...names].flatMap((name) => [
      () => createQueue(client, namespace, name, { queueName: name }),
      () =>
        createAlert(client, namespace, name, { target: { kind: 'TaskQueue', name }, taskFailures: { moreThan: 0 }, windowSeconds: 600 }),
    ]),
  )
  await Promise.all([...idle, ...names].map((name) => seen(name, 'False')))

  const connection = { host: redis.host, port: redis.port, maxRetriesPerRequest: null }
  const times = { ours: [] as number[], theirs: [] as number[] }
  for (const name of names) {
    const failedAt = Promise.withResolvers<number>()
    const worker = new Worker(name, () => Promise.reject(new Error('no')), { connection })
    worker.on('failed', () => failedAt.resolve(performance.now()))
    const queue = new Queue(name, { connection })
    await worker.waitUntilReady()
    const theirs = poll(queue)
    await sleep(Math.random() * pollMs)
    const ours = seen(name, 'True')
    await createExecution(client, namespace, name, { task: { type: 't', queue: name, retry: { maxRetries: 0 } } })
    const startedMs = await failedAt.promise
    times.ours.push((await ours) - startedMs)
    times.theirs.push((await theirs) - startedMs)
    await Promise.all([worker.close(), queue.close()])
  }
  stop.abort()
  const title = `a job has failed -> its alert's condition Firing is True, beside ${alerts} other alerts`
  printComparison(title, 'ms', times.ours, times.theirs, 'getFailedCount, 1 s')
}

async function poll(queue: Queue): Promise<number> {
  while ((await queue.getFailedCount()) === 0) await sleep(pollMs)
  return performance.now()
}

/** Resolves with the moment at which the watch has shown the condition Firing with that status. */
function watchAlerts(client: KubeClient, signal: AbortSignal): (name: string, status: 'True' | 'False') => Promise<number> {
  const informer = createInformer<TaskAlert>({
    client,
    resource: taskAlerts,
    namespace,
    clock: systemClock,
    log: silentLogger,
    rng: Math.random,
  })
  const waiting = new Map<string, (atMs: number) => void>()
  informer.onChange((key, object) => {
    const id = `${key} ${findCondition(object?.status?.conditions, 'Firing')?.status ?? ''}`
    waiting.get(id)?.(performance.now())
    waiting.delete(id)
  })
  informer.start(signal)
  return (name, status) => new Promise((resolve) => waiting.set(`${namespace}/${name} ${status}`, resolve))
}
