/** What the tests of schedules need: servers, an operator, plain BullMQ workers whose handlers keep their own books. */
import { Worker, type Job } from 'bullmq'
import { Redis } from 'ioredis'
import { type RedisOptions, type RedisServer, startRedis } from '../../hack/cluster/redis.ts'
import { events, findCondition, taskSchedules, type Event, type TaskSchedule } from '../../src/api/index.ts'
import type { KubeClient } from '../../src/kube/index.ts'
import { openCluster, startOwnCluster, type TestCluster } from '../support/cluster.ts'
import { observe } from '../support/cluster-client.ts'
import { createBroker } from '../support/manifests.ts'
import { type OperatorProcess, productEntry, startOperator } from '../support/operator-process.ts'

export type ScheduleHome = {
  readonly cluster: TestCluster
  readonly redis: RedisServer
  readonly client: KubeClient
  /** A plain connection for what a test looks at. */
  readonly commands: Redis
  /** The one that was started last. */
  readonly operator: OperatorProcess
  /** Starts another one, after the one before was stopped. */
  startOperator(): OperatorProcess
  readonly namespace: string
  /** The other namespaces that the operator watches, in the order in which they were asked for. */
  readonly others: readonly string[]
  /** Resolves with the first state of the schedule that satisfies `holds`. */
  schedule(name: string, holds: (object: TaskSchedule) => boolean): Promise<TaskSchedule>
  /** Events of the schedule, by reason. */
  eventsOf(name: string, reason: string): Promise<readonly Event[]>
  consume(queue: string, handler: (job: Job) => Promise<unknown>, concurrency?: number): Consumer
  stop(): Promise<void>
}

/** Every run, in order of their start, by the handlers' own books. */
export type Consumer = {
  readonly runs: { readonly id: string; readonly data: unknown; readonly name: string; readonly atMs: number }[]
  /** Resolves when there were that many runs. */
  ran(count: number): Promise<void>
  close(): Promise<void>
}

export type ScheduleHomeOptions = {
  /** More namespaces that the operator watches. */
  readonly others?: readonly string[]
  /** A control plane of its own, in which the operator watches all namespaces. Default false. */
  readonly isAlone?: boolean
  /** That control plane, where the test stops parts of it. */
  readonly cluster?: TestCluster
  readonly redis?: RedisOptions
}

export async function scheduleHome(title: string, options: ScheduleHomeOptions = {}): Promise<ScheduleHome> {
  const { cluster: own, isAlone = own !== undefined, others: otherNames = [] } = options
  const [cluster, redis] = await Promise.all([own ?? (isAlone ? startOwnCluster() : openCluster()), startRedis(options.redis)])
  const { client } = cluster
  const [namespace = '', ...others] = await Promise.all([title, ...otherNames].map((each) => cluster.createNamespace(each)))
  const start = () =>
    isAlone ? startOperator({ cluster, entry: productEntry }) : startOperator({ cluster, namespaces: [namespace, ...others] })
  const commands = new Redis({ host: redis.host, port: redis.port, maxRetriesPerRequest: null, retryStrategy: () => 50 })
  commands.on('error', () => undefined)
  const consumers = new Set<Consumer>()
  await createBroker(client, namespace, redis.address)
  let operator = start()
  return {
    cluster,
    redis,
    client,
    commands,
    namespace,
    others,
    get operator() {
      return operator
    },
    startOperator: () => (operator = start()),
    async schedule(name, holds) {
      const found = await observe(client, taskSchedules, { namespace, name }, (object) => object !== undefined && holds(object))
      if (found === undefined) throw new Error(`no schedule ${name}`)
      return found
    },
    async eventsOf(name, reason) {
      const { items } = await client.list<Event>(events, { namespace })
      return items.filter((event) => event.regarding.name === name && event.reason === reason)
    },
    consume(queue, handler, concurrency = 10) {
      const consumer = startConsumer({ host: redis.host, port: redis.port }, queue, handler, concurrency)
      consumers.add(consumer)
      return consumer
    },
    async stop() {
      await operator.stop()
      await Promise.all([...consumers].map((consumer) => consumer.close()))
      commands.disconnect()
      await Promise.all([redis.stop(), cluster.close()])
    },
  }
}

function startConsumer(
  connection: { readonly host: string; readonly port: number },
  queue: string,
  handler: (job: Job) => Promise<unknown>,
  concurrency: number,
): Consumer {
  const runs: Consumer['runs'] = []
  const waiting = new Set<() => void>()
  const worker = new Worker(
    queue,
    (job) => {
      runs.push({ id: job.id ?? '', data: job.data, name: job.name, atMs: Date.now() })
      for (const look of waiting) look()
      return handler(job)
    },
    { connection: { ...connection, maxRetriesPerRequest: null }, concurrency },
  )
  worker.on('error', () => undefined)
  return {
    runs,
    ran: (count) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (runs.length < count) return
          waiting.delete(look)
          resolve()
        }
        waiting.add(look)
        look()
      }),
    close: () => worker.close(true),
  }
}

export function reasonOf(object: TaskSchedule, type: string): string | undefined {
  return findCondition(object.status?.conditions, type)?.reason
}

export function messageOf(object: TaskSchedule, type: string): string | undefined {
  return findCondition(object.status?.conditions, type)?.message
}

/** The slots of runs, in order, as Unix seconds. */
export function slotsOf({ runs }: Consumer): readonly number[] {
  return runs.map(({ id }) => Date.parse(id.replace(/^.*\/(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/u, '$1-$2-$3T$4:$5:$6Z')) / 1000)
}

/** Removes jobs and their done jobs as no client of BullMQ does: nothing is left that tells of their ends. Resolves with the number of keys. */
export async function eraseJobs({ commands }: Pick<ScheduleHome, 'commands'>, idStart: string): Promise<number> {
  const isMeant = (id: string): boolean => id.startsWith(idStart)
  for (const key of await commands.keys('bull:*:wait'))
    for (const id of (await commands.lrange(key, 0, -1)).filter(isMeant)) await commands.lrem(key, 0, id)
  for (const key of await commands.keys('bull:*:waiting-children'))
    for (const id of (await commands.zrange(key, '0', '-1')).filter(isMeant)) await commands.zrem(key, id)
  const left = await commands.keys(`bull:*:${idStart}*`)
  return left.length === 0 ? 0 : commands.del(left)
}
