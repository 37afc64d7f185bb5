/**
 * What it costs that nothing happens: 1,000 pools at zero and 200 schedules whose next slot is far away. Over a minute: what the operator
 * sends to the API server (seen by a proxy between them) and to Redis, and the processor time of both. Two peers on the same Redis: KEDA's
 * way of looking at a list (a script for each queue, every 30 s by default), and BullMQ's counts of each queue, as a naive poller reads
 * them, against one full read of all queues.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Queue } from 'bullmq'
import { Redis } from 'ioredis'
import { startControlPlane } from '../../hack/cluster/control-plane.ts'
import { startRedis, type RedisServer } from '../../hack/cluster/redis.ts'
import {
  findCondition,
  taskSchedules,
  workerPools,
  type Condition,
  type KubeObject,
  type Resource,
  type TaskSchedule,
} from '../../src/api/index.ts'
import { connectBroker } from '../../src/broker/index.ts'
import { systemClock } from '../../src/clock/index.ts'
import { createInformer, type KubeClient } from '../../src/kube/index.ts'
import { silentLogger } from '../../src/observability/index.ts'
import { connectCluster, installCrds } from '../support/cluster-client.ts'
import { createBroker, createPool } from '../support/manifests.ts'

import { startRecordingProxy, type RecordingProxy, type Sent } from '../support/recording-proxy.ts'
import { sendAll } from './at-once.ts'
import { startBenchedOperator } from './operator.ts'
import { printComparison } from './table.ts'
import { countedBy, usageOf } from './usage.ts'

const namespace = 'default'
const pools = 1_000
const schedules = 200
const passes = 20
/** KEDA's default `pollingInterval`. */
const kedaEveryMs = 30_000
/** Nothing but the Lease was written for so long: at rest. */
const quietMs = 5_000
const named = (count: number) => Array.from({ length: count }, (_, index) => `idle-${index}`)
const names = named(pools)

export async function benchIdle(seconds: number): Promise<void> {
  await using controlPlane = await startControlPlane()
  await using redis = await startRedis()
  await using client = await connectCluster(controlPlane.kubeconfig)
  await installCrds(client)
  await using proxy = await startRecordingProxy(controlPlane, 'operator', { answerAfterMs: 0 })
  await using operator = startBenchedOperator(proxy)
  const commands = new Redis({ host: redis.host, port: redis.port })
  const { port } = await operator.logged('operator started')
  await operator.logged('leading')
  await createBroker(client, namespace, redis.address)
  await untilQuiet(proxy)
  const empty = usageOf(operator.pid)

  const createdMs = performance.now()
  await createAll(client)
  const settledSeconds = (performance.now() - createdMs) / 1_000
  await untilQuiet(proxy)

  const before = await snapshot(operator.pid, commands, port)
  const firstRequest = proxy.sent.length
  await sleep(seconds * 1_000)
  const after = await snapshot(operator.pid, commands, port)

  console.log(`\n${pools} pools at zero and ${schedules} schedules, nothing due, over ${seconds} s`)
  const line = (name: string, text: string): void => console.log(`  ${name.padEnd(38)}${text}`)
  line('created and ready', `${settledSeconds.toFixed(1)} s`)
  line('requests to the API server', counted(proxy.sent.slice(firstRequest).map(nameOf)))
  line('writes but the Lease', String(proxy.sent.slice(firstRequest).filter(isWrite).length))
  line('reconciliations', String(after.reconciles - before.reconciles))
  const calls = callsBetween(before.calls, after.calls)
  const commandsPerSecond = sum(calls) / seconds
  const perSecond = (n: number): string => (n / seconds).toFixed(1)
  const share = (cpuSeconds: number): string => `${((100 * cpuSeconds) / seconds).toFixed(2)} % of a core`
  line('round trips to Redis per second', perSecond(after.roundTrips - before.roundTrips))
  line('commands in Redis per second', commandsPerSecond.toFixed(1))
  for (const [name, n] of calls.toSorted(([, a], [, b]) => b - a).slice(0, 10)) line(`  ${name}`, perSecond(n))
  line('connections to Redis', String(await connectionsOf(commands)))
  line('processor of the operator', share(after.cpuSeconds - before.cpuSeconds))
  line('processor of Redis', share(after.redisCpuSeconds - before.redisCpuSeconds))
  line('memory (RSS): empty, created, after', [empty, before, after].map(({ rssMb }) => `${rssMb.toFixed(0)} MB`).join(', '))
  const keda = await kedaCommandsPerSecond(commands)
  line("commands by KEDA's look, every 30 s", `${keda.toFixed(1)} per second, ${(keda / commandsPerSecond).toFixed(0)} times ours`)
  commands.disconnect()
  await printPasses(redis)
}

/** KEDA's scaler of lists calls a script for each queue, which asks for the type of one key and its length. */
async function kedaCommandsPerSecond(commands: Redis): Promise<number> {
  const script = `local kind = redis.call('type', KEYS[1]).ok
    if kind == 'list' or kind == 'none' then return redis.call('llen', KEYS[1]) end
    return redis.call('zcard', KEYS[1])`
  const others = await callsOf(commands)
  for (const name of names) await commands.eval(script, 1, `bull:${name}:wait`)
  const calls = callsBetween(others, await callsOf(commands)).filter(([name]) => ['eval', 'type', 'llen'].includes(name))
  return (1_000 * sum(calls)) / kedaEveryMs
}

type Calls = ReadonlyMap<string, number>

function callsBetween(before: Calls, after: Calls): readonly (readonly [string, number])[] {
  return [...after].map(([name, n]) => [name, n - (before.get(name) ?? 0)] as const).filter(([, n]) => n > 0)
}

function sum(calls: readonly (readonly [string, number])[]): number {
  return calls.reduce((total, [, n]) => total + n, 0)
}

async function snapshot(pid: number, commands: Redis, port: unknown) {
  const [calls, roundTrips, redisCpuSeconds, reconciles] = await Promise.all([
    callsOf(commands),
    roundTripsOf(commands),
    cpuSecondsOf(commands),
    countedBy(port, 'controller_runtime_reconcile_total'),
  ])
  return { ...usageOf(pid), calls, roundTrips, redisCpuSeconds, reconciles }
}

async function createAll(client: KubeClient): Promise<void> {
  const stop = new AbortController()
  const task = { type: 'idle', queue: 'idle' }
  const ready = Promise.all([
    untilReady(client, workerPools, pools, 'ScaledToZero', stop.signal),
    untilReady(client, taskSchedules, schedules, 'SlotScheduled', stop.signal),
  ])
  const createSchedule = (name: string) => {
    const schedule = { metadata: { namespace, name }, spec: { schedules: [farAway()], task } }
    return client.create(taskSchedules, schedule as unknown as TaskSchedule, { fieldManager: 'bench', fieldValidation: 'Strict' })
  }
  await sendAll([
    ...names.map((name) => () => createPool(client, namespace, name, { queues: [{ name }] })),
    ...named(schedules).map((name) => () => createSchedule(name)),
  ])
  await ready
  stop.abort()
}

/** Half a year from now. */
function farAway(): string {
  const month = ((new Date().getUTCMonth() + 6) % 12) + 1
  return `0 0 1 ${month} *`
}

type Conditioned = KubeObject & { readonly status?: { readonly conditions?: readonly Condition[] } }

async function untilReady<T extends Conditioned>(
  client: KubeClient,
  resource: Resource<T>,
  count: number,
  reason: string,
  signal: AbortSignal,
): Promise<void> {
  const informer = createInformer<T>({ client, resource, namespace, clock: systemClock, log: silentLogger, rng: Math.random })
  const ready = new Set<string>()
  const all = Promise.withResolvers<void>()
  informer.onChange((key, object) => {
    if (findCondition(object?.status?.conditions, 'Ready')?.reason === reason) ready.add(key)
    if (ready.size === count) all.resolve()
  })
  informer.start(signal)
  await all.promise
}

const isWrite = ({ method, path }: Sent): boolean => method !== 'GET' && !path.includes('/leases/')
const nameOf = ({ method, path }: Sent): string => (path.includes('/leases/') ? `${method} Lease` : `${method} ${path.split('/').at(-1)}`)

async function untilQuiet(proxy: RecordingProxy): Promise<void> {
  for (let quietSinceMs = performance.now(); performance.now() - quietSinceMs < quietMs; await sleep(250)) {
    quietSinceMs = Math.max(quietSinceMs, proxy.sent.findLast(isWrite)?.atMs ?? 0)
  }
}

function counted(texts: readonly string[]): string {
  const counts = [...Map.groupBy(texts, (text) => text)].map(([text, all]) => `${all.length} ${text}`)
  return counts.length === 0 ? 'none' : counts.join(', ')
}

/** Packets that the server has read: what is pipelined, or done in a script, counts once. */
async function roundTripsOf(commands: Redis): Promise<number> {
  return Number(/total_reads_processed:(\d+)/u.exec(await commands.info('stats'))?.[1])
}

async function cpuSecondsOf(commands: Redis): Promise<number> {
  const text = await commands.info('cpu')
  return [...text.matchAll(/^used_cpu_(?:user|sys):([\d.]+)/gmu)].reduce((total, [, seconds]) => total + Number(seconds), 0)
}

/** Calls by command so far, those inside scripts included; without this process's own. */
async function callsOf(commands: Redis): Promise<ReadonlyMap<string, number>> {
  const text = await commands.info('commandstats')
  const calls = [...text.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gmu)].map(([, name = '', n]): readonly [string, number] => [
    name,
    Number(n),
  ])
  return new Map(calls.filter(([name]) => name !== 'info'))
}

async function connectionsOf(commands: Redis): Promise<number> {
  const list = String(await commands.client('LIST'))
  return list.split('\n').filter((line) => line.includes('name=taskmill:')).length
}

/** Beside the operator's own passes, on the same Redis. */
async function printPasses(redis: RedisServer): Promise<void> {
  const broker = connectBroker({ address: redis.address, keyPrefix: 'bull', log: silentLogger, clock: systemClock })
  const connection = new Redis({ host: redis.host, port: redis.port, maxRetriesPerRequest: null })
  const queues = names.map((name) => new Queue(name, { connection }))
  const times = { ours: [] as number[], theirs: [] as number[] }
  const timed = async (into: number[], pass: () => Promise<unknown>): Promise<void> => {
    const startedMs = performance.now()
    await pass()
    into.push(performance.now() - startedMs)
  }
  const turns = {
    ours: () => broker.readQueues(names),
    theirs: () => Promise.all(queues.map((queue) => queue.getJobCounts('wait', 'active', 'delayed', 'prioritized'))),
  }
  for (const side of ['ours', 'theirs'] as const) await turns[side]()
  for (let pass = 0; pass < passes; pass += 1) for (const side of ['ours', 'theirs'] as const) await timed(times[side], turns[side])
  printComparison(`one full read of ${pools} queues`, 'ms', times.ours, times.theirs, 'getJobCounts of each')
  await Promise.all([...queues.map((queue) => queue.close()), broker.close()])
  connection.disconnect()
}
