/**
 * Two operators and one Lease: frozen, killed and stopped leaders. What a process really sent is seen by a proxy of its own. The seed is
 * printed; SEED=… repeats the moments. Leases run 15 s, as in production.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Queue } from 'bullmq'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { startRedis, type RedisServer } from '../../hack/cluster/redis.ts'
import { deployments, leases, type Deployment } from '../../src/api/index.ts'
import { openCluster, type TestCluster } from '../support/cluster.ts'
import { observe } from '../support/cluster-client.ts'
import { seed } from '../support/draws.ts'
import { createBroker, createPool } from '../support/manifests.ts'
import { fetchFrom } from '../support/operator-http.ts'
import { startOperator, type OperatorProcess } from '../support/operator-process.ts'
import { startRecordingProxy, type RecordingProxy } from '../support/recording-proxy.ts'

let cluster: TestCluster
let redis: RedisServer
let commands: Redis
let client: TestCluster['client']
const proxies: RecordingProxy[] = []
const operators: OperatorProcess[] = []
const queues: Queue[] = []

beforeAll(async () => {
  console.log(`SEED=${seed}`)
  ;[cluster, redis] = await Promise.all([openCluster(), startRedis()])
  ;({ client } = cluster)
  commands = new Redis(redis.port, redis.host)
})

afterAll(async () => {
  await Promise.allSettled(operators.map((operator) => operator.kill()))
  await Promise.allSettled(queues.map((queue) => queue.close()))
  commands?.disconnect()
  await Promise.allSettled(proxies.map((proxy) => proxy[Symbol.asyncDispose]()))
  await Promise.allSettled([redis?.stop(), cluster?.close()])
})

/** A namespace with a TaskBroker, and with a Lease of its own. */
async function createHome(name: string): Promise<string> {
  const namespace = await cluster.createNamespace(name)
  await createBroker(client, namespace, redis.address)
  return namespace
}

type Candidate = { readonly operator: OperatorProcess; readonly proxy: RecordingProxy }

let started = 0
async function candidate(namespace: string): Promise<Candidate> {
  const identity = `operator-${started++}`
  const proxy = await startRecordingProxy(cluster, identity)
  const operator = startOperator({ cluster: proxy, identity, namespaces: [namespace] })
  proxies.push(proxy)
  operators.push(operator)
  await operator.logged('operator started')
  return { operator, proxy }
}

async function addJobs(name: string, count: number): Promise<void> {
  const queue = new Queue(name, { connection: { host: redis.host, port: redis.port } })
  queues.push(queue)
  await queue.addBulk(Array.from({ length: count }, () => ({ name: 'x', data: {} })))
}

const scaling = { maxReplicas: 8, targetBacklogPerReplica: 1 }
const deploymentsIn =
  (namespace: string) =>
  (name: string, holds: (object: Deployment | undefined) => boolean): Promise<Deployment | undefined> =>
    observe(client, deployments, { namespace, name }, holds)
const writesSince = ({ proxy }: Candidate, atMs: number) => proxy.sent.filter((sent) => sent.atMs >= atMs && sent.method !== 'GET')

/** Waits until the process has begun to lead for the n-th time. */
async function terms({ operator }: Candidate, count: number): Promise<void> {
  const begun = () => operator.lines.filter(({ msg }) => msg === 'leading').length
  // `expect.poll` is not for tests that run at the same time.
  await vi.waitFor(() => expect(begun()).toBeGreaterThanOrEqual(count), { timeout: 60_000 })
}

async function epochOfLease(namespace: string): Promise<number> {
  const lease = await client.get(leases, namespace, 'taskmill-operator')
  return Number(lease.metadata.annotations?.['taskmill.dev/epoch'])
}

const dispatcherOf = (namespace: string) => `bull:.taskmill:dispatcher:default/${namespace}`

/** The broker knows the epoch of the Lease a second or so after the leader changed. */
async function epochEverywhere(namespace: string): Promise<number> {
  for (;;) {
    const [lease, broker] = await Promise.all([epochOfLease(namespace), commands.hget(dispatcherOf(namespace), 'epoch')])
    if (lease > 0 && String(lease) === broker) return lease
    await sleep(100)
  }
}

/** When the leader is frozen, after jobs began to arrive. With a write in flight its answer waits for the leader to wake up, and asks for the next write. */
const moments = [
  { round: 0, when: 'a write of replicas is in flight', path: /\/deployments\/frozen-0-\d$/u },
  { round: 1, when: 'a write of a status is in flight', path: /\/workerpools\/frozen-1-\d\/status$/u },
  { round: 2, when: 'it happens to be', path: undefined },
]

it.concurrent.each(moments)(
  'a leader frozen beyond its lease, when $when, sends nothing when it wakes up, and follows',
  async ({ round, path }) => {
    const namespace = await createHome(`frozen-${round}`)
    const deployment = deploymentsIn(namespace)
    const first = await candidate(namespace)
    await first.operator.logged('leading')
    const epoch = await epochEverywhere(namespace)
    const second = await candidate(namespace)
    const names = Array.from({ length: 6 }, (_, index) => `frozen-${round}-${index}`)
    await Promise.all(names.map((name) => createPool(client, namespace, name, { queues: [{ name }], scaling })))
    await Promise.all(names.map((name) => deployment(name, (object) => object?.spec.replicas === 0)))

    const moment = path ? first.proxy.next((sent) => sent.method === 'PATCH' && path.test(sent.path)) : sleep(seed % 300)
    const arriving = Promise.all(names.map((name) => addJobs(name, 5)))
    await moment
    first.operator.signal('SIGSTOP')
    const frozenMs = performance.now()
    await arriving
    await second.operator.logged('leading')
    const takenOverMs = performance.now() - frozenMs
    expect(takenOverMs).toBeGreaterThan(12_000)
    await Promise.all(names.map((name) => deployment(name, (object) => object?.spec.replicas === 5)))
    expect(await epochEverywhere(namespace)).toBeGreaterThan(epoch)

    // More for it to be tempted by when it wakes up.
    await Promise.all(names.map((name) => addJobs(name, 3)))
    await Promise.all(names.map((name) => deployment(name, (object) => object?.spec.replicas === 8)))
    const ownWrites = async () =>
      (await client.list(deployments, { namespace })).items.map(({ metadata, spec }) => [
        metadata.name,
        metadata.generation,
        spec.replicas,
        metadata.annotations,
        (metadata['managedFields'] as { manager: string; time: string }[]).filter(({ manager }) => manager.startsWith('taskmill')),
      ])
    const before = await ownWrites()
    first.operator.signal('SIGCONT')
    const awakeMs = performance.now()
    await first.operator.logged('all that acted has ended, following again')
    console.log(
      `round ${round}: taken over after ${Math.round(takenOverMs)} ms, following ${Math.round(performance.now() - awakeMs)} ms after waking`,
    )
    await sleep(5_000)
    expect(writesSince(first, awakeMs)).toEqual([])
    expect(await ownWrites()).toEqual(before)

    // The same process, another term.
    await second.operator.stop()
    await terms(first, 2)
    await Promise.all(names.map((name) => commands.del(`bull:${name}:wait`)))
    await addJobs(names[0] ?? '', 4)
    await vi.waitFor(() => expect(writesSince(first, awakeMs).length).toBeGreaterThan(0), { timeout: 20_000 })
    await first.operator.stop()
  },
)

it.concurrent('a killed leader is followed after its lease, and a stopped one at once; each term has a higher epoch', async () => {
  const namespace = await createHome('killed')
  const first = await candidate(namespace)
  await first.operator.logged('leading')
  const epochs = [await epochEverywhere(namespace)]
  const second = await candidate(namespace)
  const third = await candidate(namespace)

  const killedMs = performance.now()
  await first.operator.kill()
  const next = await Promise.race([second, third].map(async (each) => (await each.operator.logged('leading'), each)))
  const afterKillMs = performance.now() - killedMs
  expect(afterKillMs).toBeGreaterThan(12_000)
  epochs.push(await epochEverywhere(namespace))

  const last = next === second ? third : second
  const stoppedMs = performance.now()
  const stopping = next.operator.stop()
  await last.operator.logged('leading')
  const afterStopMs = performance.now() - stoppedMs
  await stopping
  epochs.push(await epochEverywhere(namespace))
  console.log(
    `taken over ${Math.round(afterKillMs)} ms after a kill, ${Math.round(afterStopMs)} ms after a stop; epochs ${epochs.join(' ')}`,
  )
  expect(epochs).toEqual(epochs.toSorted((a, b) => a - b))
  expect(new Set(epochs).size).toBe(3)

  expect(await fetchFrom(last.operator, '/livez')).toEqual({ status: 200, text: 'ok\n' })
  // It leads before its first reconciliation has ended.
  const { text } = await vi.waitFor(
    async () => {
      const answer = await fetchFrom(last.operator, '/metrics')
      expect(answer.text).toMatch(/controller_runtime_reconcile_total\{controller="task-broker",result="requeue_after"\} [1-9]/u)
      return answer
    },
    { timeout: 60_000, interval: 100 },
  )
  expect(text).toContain('leader_election_master_status{name="taskmill-operator"} 1\n')
  expect(text).toContain(`taskmill_leader_epoch{name="taskmill-operator"} ${epochs[2]}\n`)
  expect(text).toMatch(/rest_client_requests_total\{code="200",method="GET",host="127\.0\.0\.1:\d+"\} [1-9]/u)
  await last.operator.stop()
})

it.concurrent(
  'a leader that is cut off from the API server has stepped down before another one leads, and nothing of it arrives',
  async () => {
    const namespace = await createHome('cut')
    const deployment = deploymentsIn(namespace)
    const first = await candidate(namespace)
    await first.operator.logged('leading')
    const second = await candidate(namespace)
    await createPool(client, namespace, 'cut', { queues: [{ name: 'cut' }], scaling })
    await deployment('cut', (object) => object?.spec.replicas === 0)

    const order: string[] = []
    const ended = first.operator.logged('all that acted has ended, following again').then(() => order.push('the first has stepped down'))
    const taken = second.operator.logged('leading').then(() => order.push('the second leads'))
    first.proxy.cut()
    const cutMs = performance.now()
    await addJobs('cut', 5)
    await Promise.all([ended, taken])
    expect(order).toEqual(['the first has stepped down', 'the second leads'])
    await deployment('cut', (object) => object?.spec.replicas === 5)
    first.proxy.mend()
    await sleep(5_000)
    expect(writesSince(first, cutMs)).toEqual([])
    await second.operator.stop()
    await terms(first, 2)
    await first.operator.stop()
  },
)

it.concurrent('the API server away for 20 s leaves the same process leading, and what was waiting happens soon after', async () => {
  const namespace = await createHome('away')
  const deployment = deploymentsIn(namespace)
  const only = await candidate(namespace)
  await only.operator.logged('leading')
  await createPool(client, namespace, 'away', { queues: [{ name: 'away' }], scaling })
  await deployment('away', (object) => object?.spec.replicas === 0)
  const epoch = await epochEverywhere(namespace)
  only.proxy.cut()
  await addJobs('away', 4)
  await sleep(20_000)
  expect((await client.get(deployments, namespace, 'away')).spec.replicas).toBe(0)
  only.proxy.mend()
  const mendedMs = performance.now()
  await deployment('away', (object) => object?.spec.replicas === 4)
  const tookMs = performance.now() - mendedMs
  console.log(`acting again ${Math.round(tookMs)} ms after the API server was back`)
  expect(tookMs).toBeLessThan(15_000)
  await terms(only, 2)
  expect(await epochEverywhere(namespace)).toBeGreaterThan(epoch)
  expect(only.operator.lines.filter(({ msg }) => msg === 'operator started')).toHaveLength(1)
  expect(await fetchFrom(only.operator, '/livez')).toEqual({ status: 200, text: 'ok\n' })
  await only.operator.stop()
})

it.concurrent('a broker that has seen more than the Lease is outbid', async () => {
  const namespace = await createHome('outbid')
  await commands.hset(dispatcherOf(namespace), { epoch: 40, by: 'somebody', holder: '' })
  const { operator } = await candidate(namespace)
  await operator.logged('leading')
  await operator.logged('a broker has seen an epoch that is not lower, outbidding it')
  expect(await epochEverywhere(namespace)).toBe(41)
  await operator.stop()
})
