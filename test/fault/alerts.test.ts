/**
 * The operator is killed between any two statements that matter for an alert, and at seeded moments while alerts fire and are resolved again
 * and again. A receiver that keeps its own books hears of each transition exactly once, as far as it can tell: by the Idempotency-Key. The
 * points and the seed are printed; SEED=… repeats the moments.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Queue } from 'bullmq'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type RedisServer, startRedis } from '../../hack/cluster/redis.ts'
import { taskAlerts, type TaskAlert } from '../../src/api/index.ts'
import type { KubeClient } from '../../src/kube/index.ts'
import { createAlert, createChannel, type Receiver, startReceiver } from '../support/alert-home.ts'
import { openCluster, type TestCluster } from '../support/cluster.ts'
import { observe } from '../support/cluster-client.ts'
import { seed } from '../support/draws.ts'
import { createBroker, createPool } from '../support/manifests.ts'
import { type OperatorProcess, startOperator } from '../support/operator-process.ts'
import { random } from '../support/random.ts'

/** So many worlds at once, each with an operator of its own. */
const atOnce = 6
const alert = 'backlog'
/** Long enough for a kill while the alert is Pending, and a restart. */
const forSeconds = 3
let cluster: TestCluster
let redis: RedisServer
let client: KubeClient
let receiver: Receiver
const operators: OperatorProcess[] = []

beforeAll(async () => {
  console.log(`SEED=${seed}`)
  ;[cluster, redis, receiver] = await Promise.all([openCluster(), startRedis({ appendonly: 'everysec' }), startReceiver()])
  ;({ client } = cluster)
})

afterAll(async () => {
  await Promise.allSettled([...operators.map((operator) => operator.kill()), receiver?.[Symbol.asyncDispose]()])
  await Promise.allSettled([redis?.stop(), cluster?.close()])
})

function launch(namespace: string, killAt = ''): OperatorProcess {
  const operator = startOperator({
    cluster,
    namespaces: [namespace],
    env: { KILL_AT: killAt },
  })
  operators.push(operator)
  return operator
}

/** How often each point was reached. */
function pointsOf(operator: OperatorProcess): ReadonlyMap<string, number> {
  const reached = operator.lines.filter((line) => line.msg === 'point' || line.msg === 'struck')
  return new Map(reached.map((line) => [String(line['point']), Number(line['count'])]))
}

/** A pool with an alert on its backlog, in a namespace of its own, whose name it resolves with. */
async function createHome(name: string): Promise<string> {
  const namespace = await cluster.createNamespace(name)
  await createBroker(client, namespace, redis.address)
  await createChannel(client, namespace, 'oncall', { webhook: { url: `${receiver.url}/${namespace}` } })
  await createPool(client, namespace, 'mail', { queues: [{ name: namespace }] })
  await createAlert(client, namespace, alert, {
    target: { kind: 'WorkerPool', name: 'mail' },
    queueBacklog: { above: 1 },
    forSeconds,
    cooldownSeconds: 0,
    channelRefs: [{ name: 'oncall' }],
  })
  return namespace
}

const statusOf = (namespace: string, holds: (status: TaskAlert['status']) => boolean): Promise<TaskAlert | undefined> =>
  observe(client, taskAlerts, { namespace, name: alert }, (object) => holds(object?.status))
const untilState = (namespace: string, state: string): Promise<unknown> => statusOf(namespace, (status) => status?.state === state)
const untilTold = (namespace: string, sequence: number): Promise<unknown> =>
  statusOf(
    namespace,
    (status) => status?.notifications?.some((told) => told.sequence === sequence && told.delivery === 'Delivered') === true,
  )

/** So many times the queue fills and is emptied; each time the alert fires, and is resolved. */
async function live(namespace: string, times: number): Promise<void> {
  const queue = new Queue(namespace, { connection: { host: redis.host, port: redis.port } })
  await untilState(namespace, 'Inactive')
  for (let time = 0; time < times; time++) {
    await queue.addBulk([1, 2, 3].map((data) => ({ name: 'x', data })))
    await untilTold(namespace, 2 * time + 1)
    await queue.drain()
    await untilTold(namespace, 2 * time + 2)
  }
  await queue.close()
}

/** Everything that should not be, in words. */
async function wrongIn(namespace: string, times: number): Promise<readonly string[]> {
  const { status } = await client.get(taskAlerts, namespace, alert)
  const heard = receiver.received.filter(({ path }) => path === `/${namespace}`)
  const story = new Map(heard.map(({ key, body }) => [key, JSON.stringify(body)]))
  const told = [...story.values()].map((body) => (JSON.parse(body) as { state: string }).state)
  const expected = Array.from({ length: times }, () => ['firing', 'resolved']).flat()
  const transitions = status?.transitions?.map(({ sequence, state }) => `${sequence} ${state}`) ?? []
  const counted = expected.map((state, index) => `${index + 1} ${state === 'firing' ? 'Firing' : 'Resolved'}`)
  return [
    ...(told.join() === expected.join() ? [] : [`the receiver heard ${told.join()}`]),
    ...heard.flatMap(({ key, body }) => (story.get(key) === JSON.stringify(body) ? [] : [`${key} was told in two ways`])),
    ...(transitions.join() === counted.slice(-10).join() ? [] : [`the alert remembers ${transitions.join()}`]),
    ...(status?.state === 'Inactive' ? [] : [`it is ${status?.state} at the end`]),
  ]
}

async function each<T>(all: readonly T[], run: (one: T) => Promise<void>): Promise<void> {
  const left = [...all]
  const next = async (): Promise<void> => {
    for (let one = left.shift(); one !== undefined; one = left.shift()) await run(one)
  }
  await Promise.all(Array.from({ length: atOnce }, next))
}

/** How often each point was reached when nothing was killed. */
let points: ReadonlyMap<string, number>

it('nothing is killed: each transition is notified once, and all points are reached', async () => {
  const namespace = await createHome('alive')
  const operator = launch(namespace)
  await live(namespace, 1)
  expect(await wrongIn(namespace, 1)).toEqual([])
  expect(receiver.received.filter(({ path }) => path === `/${namespace}`)).toHaveLength(2)
  await operator.stop()
  points = pointsOf(operator)
  console.log(`${points.size} points: ${[...points].map(([point, count]) => `${point} (${count})`).join(', ')}`)
  const writes = ['Inactive', 'Pending', 'Firing', 'notification'].map((what) => `write ${what}`)
  const declared = [...writes, 'deliver'].flatMap((what) => [`before ${what}`, `after ${what}`])
  expect([...points.keys()].toSorted()).toEqual([...declared, 'before write Unknown', 'after write Unknown'].toSorted())
})

it('killed at every point, each time that it is reached, and started again', { timeout: 300_000 }, async () => {
  const places = [...points].flatMap(([point, count]) => Array.from({ length: count }, (_, index) => `${point}#${index + 1}`))
  const outcomes: Record<string, readonly string[]> = {}
  await each(places, async (killAt) => {
    const namespace = await createHome(`killed-${killAt.toLowerCase().replaceAll(/[ #]/gu, '-')}`)
    const operator = launch(namespace, killAt)
    const restarted = operator.exited.then(() => launch(namespace))
    await live(namespace, 1)
    // The last points come after what is waited for.
    await Promise.race([operator.exited, sleep(60_000, undefined, { ref: false })])
    await operator.kill()
    const again = await restarted
    const wrong = await wrongIn(namespace, 1)
    await again.stop()
    outcomes[killAt] = operator.lines.some((line) => line.msg === 'struck') ? wrong : [...wrong, 'never reached']
  })
  expect(Object.fromEntries(Object.entries(outcomes).filter(([, wrong]) => wrong.length > 0))).toEqual({})
  console.log(`killed at ${Object.keys(outcomes).join(', ')}`)
})

it('killed again and again at seeded moments', { timeout: 300_000 }, async () => {
  const rng = random(seed)
  const times = 3
  const outcomes: Record<string, readonly string[]> = {}
  await each(
    Array.from({ length: atOnce }, (_, index) => ({
      name: `seeded-${index}`,
      momentsMs: Array.from({ length: 5 }, () => 500 + rng() * 5_000),
    })),
    async ({ name, momentsMs }) => {
      const namespace = await createHome(name)
      let operator = launch(namespace)
      const killing = (async () => {
        for (const afterMs of momentsMs) {
          await sleep(afterMs)
          await operator.kill()
          operator = launch(namespace)
        }
      })()
      await live(namespace, times)
      await killing
      outcomes[name] = await wrongIn(namespace, times)
      await operator.stop()
    },
  )
  expect(Object.fromEntries(Object.entries(outcomes).filter(([, wrong]) => wrong.length > 0))).toEqual({})
})
