/**
 * The operator is killed between any two statements that matter for the TaskExecutions of a backfill, once at every point, and started again; each
 * time every slot has exactly one TaskExecution, whose task runs once, by the handler's own book.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'bullmq'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startRedis, type RedisServer } from '../../hack/cluster/redis.ts'
import { finalStateOf, type TaskExecution, taskExecutions } from '../../src/api/index.ts'
import { systemClock } from '../../src/clock/index.ts'
import { createInformer, type Informer } from '../../src/kube/index.ts'
import { silentLogger } from '../../src/observability/index.ts'
import { openCluster, type TestCluster } from '../support/cluster.ts'
import { observe } from '../support/cluster-client.ts'
import { createBroker, createDependency, createExecution, createSchedule } from '../support/manifests.ts'
import { startOperator, type OperatorProcess } from '../support/operator-process.ts'

/** So many worlds at once, each with an operator of its own. */
const atOnce = 3
const range = { from: '2026-01-01T00:00:00Z', to: '2026-01-04T23:59:59Z', parallelism: 2 }
const days = ['01', '02', '03', '04']

let cluster: TestCluster
let redis: RedisServer
let client: TestCluster['client']
let cache: Informer<TaskExecution>
const stop = new AbortController()
const operators: OperatorProcess[] = []
const workers: Worker[] = []
/** UIDs of all runs that there ever were, by namespace, backfill and node. */
const created = new Map<string, Set<string>>()

beforeAll(async () => {
  ;[cluster, redis] = await Promise.all([openCluster(), startRedis({ appendonly: 'everysec' })])
  ;({ client } = cluster)
  cache = createInformer<TaskExecution>({
    client,
    resource: taskExecutions,
    clock: systemClock,
    log: silentLogger,
    rng: Math.random,
  })
  cache.onChange((_, run) => {
    const { namespace = '', uid = '', labels = {} } = run?.metadata ?? {}
    const backfill = labels['taskmill.dev/execution']
    if (backfill === undefined || !cluster.owns(namespace)) return
    const key = `${namespace}/${backfill}/${labels['taskmill.dev/node']}`
    created.set(key, (created.get(key) ?? new Set<string>()).add(uid))
  })
  cache.start(stop.signal)
  await cache.synced
})

afterAll(async () => {
  stop.abort()
  await Promise.allSettled([...operators.map((operator) => operator.kill()), ...workers.map((worker) => worker.close())])
  await Promise.allSettled([redis?.stop(), cluster?.close()])
})

function launch(namespace: string, killAt = ''): OperatorProcess {
  const operator = startOperator({ cluster, namespaces: [namespace], env: { KILL_AT: killAt, KILL_SIGNAL: 'SIGKILL' } })
  operators.push(operator)
  return operator
}

/** A backfill that comes to its end, and one whose tasks no worker takes, which is cancelled. Resolves with what went wrong. */
async function live(namespace: string): Promise<readonly string[]> {
  const ran: string[] = []
  const [host = '', port = ''] = redis.address.split(':')
  const connection = { host, port: Number(port), maxRetriesPerRequest: null }
  workers.push(new Worker(`${namespace}-done`, async ({ data }) => void ran.push((data as { slot: string }).slot), { connection }))
  await createBroker(client, namespace, redis.address)
  for (const name of ['done', 'stopped']) {
    const task = { type: 'x', queue: `${namespace}-${name}`, payload: { slot: '$(slot)' } }
    await createDependency(client, namespace, name, { nodes: [{ name: 'load', task }] })
    const timing = { schedules: ['0 1 * * *'], suspend: true }
    await createSchedule(client, namespace, name, { ...timing, dependencyRef: { name } })
    await createExecution(client, namespace, name, { scheduleRef: { name }, range })
  }
  const begun = () =>
    cache
      .list(namespace)
      .filter(({ metadata, status }) => metadata.labels?.['taskmill.dev/execution'] === 'stopped' && status?.startTime !== undefined)
  await expect.poll(() => begun().length, { timeout: 60_000 }).toBe(2)
  const cancel = {
    metadata: { namespace, name: 'stopped' },
    spec: { desiredState: 'Cancelled' as const, scheduleRef: { name: 'stopped' }, range },
  }
  await client.apply(taskExecutions, cancel, { fieldManager: 'test', force: true })
  const [done, stopped] = await Promise.all(
    ['done', 'stopped'].map((name) => observe(client, taskExecutions, { namespace, name }, (run) => run?.status?.finishTime !== undefined)),
  )
  await expect.poll(() => cache.list(namespace).filter((run) => finalStateOf(run) === undefined).length, { timeout: 60_000 }).toBe(0)
  const states = [done?.status?.state, done?.status?.progress, stopped?.status?.state].join(' ')
  const slots = days.map((day) => `2026-01-${day}T01:00:00Z`).join()
  const doubled = [...created].filter(([key, uids]) => key.startsWith(`${namespace}/`) && uids.size > 1)
  return [
    ...(states === 'Succeeded 4/4 Cancelled' ? [] : [`states: ${states}`]),
    ...(ran.toSorted().join() === slots ? [] : [`ran: ${ran.join()}`]),
    ...doubled.map(([key]) => `${key} has had two runs`),
  ]
}

const declared = ['create execution', 'append placed', 'cancel execution'].flatMap((what) => [`before ${what}`, `after ${what}`])

it('killed at every point, and started again: every slot has one run, and all comes to its end', { timeout: 600_000 }, async () => {
  const alive = await cluster.createNamespace('alive')
  const calm = launch(alive)
  expect(await live(alive)).toEqual([])
  await calm.stop()
  const reached = new Set(calm.lines.filter(({ msg }) => msg === 'point').map(({ point }) => String(point)))
  expect(declared.filter((point) => !reached.has(point))).toEqual([])

  const outcomes: Record<string, readonly string[]> = {}
  async function run(point: string): Promise<void> {
    const namespace = await cluster.createNamespace(`killed-${point.replaceAll(' ', '-')}`)
    const operator = launch(namespace, `${point}#1`)
    let again: OperatorProcess | undefined
    const restarted = operator.exited.then(() => (again = launch(namespace)))
    const wrong = await live(namespace).catch((error: unknown) => [String(error)])
    // The last points come after what is waited for.
    await Promise.race([operator.exited, sleep(60_000, undefined, { ref: false })])
    const struck = operator.lines.some(({ msg }) => msg === 'struck')
    await operator.kill()
    await restarted
    await again?.stop()
    outcomes[point] = struck ? wrong : [...wrong, 'never reached']
  }
  const left = [...declared]
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (let next = left.shift(); next !== undefined; next = left.shift()) await run(next)
    }),
  )
  expect(Object.fromEntries(Object.entries(outcomes).filter(([, wrong]) => wrong.length > 0))).toEqual({})
})
