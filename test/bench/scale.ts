/**
 * What one operator carries within the chart's defaults: 1,000 pools, 10,000 schedules (1,000 of them due every minute, half with Forbid),
 * 2,000 runs and 500 alerts, a real control plane, a real Redis, a worker, and two operators as processes with the chart's heap limit.
 *
 * All objects exist before the first operator starts. Then: the start until the first slot, a minute of slots, a SIGKILL of the leader, and
 * the deletion of the namespace. `SCALE_PERCENT` chooses the share of the full size; nothing here passes or fails by time.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { startControlPlane } from '../../hack/cluster/control-plane.ts'
import { startRedis } from '../../hack/cluster/redis.ts'
import { queueKeys, slotName } from '../../src/contract/index.ts'
import { hasCode } from '../../src/errors/index.ts'
import type { KubeClient } from '../../src/kube/index.ts'
import { connectCluster, installCrds, namespaces } from '../support/cluster-client.ts'
import { createBroker } from '../support/manifests.ts'
import type { OperatorProcess } from '../support/operator-process.ts'
import { startPlainWorker } from '../support/plain-worker.ts'
import { memoryOfCronJobs } from './cron-memory.ts'
import { startBenchedOperator } from './operator.ts'
import { createLoad, forbidCount, queues, sizeOf, type Size } from './scale-load.ts'
import { minuteMs, untilSettled } from './slot-lateness.ts'
import { percentiles } from './table.ts'
import { countedBy, keptBy, usageOf } from './usage.ts'

const namespace = 'scale'
/** A wait that lasts longer is reported as such, and the next stage begins. */
const mostWaitMs = 120_000
/** How long the benchmark looks for keys that go. */
const redisWaitMs = 40_000
/** After a slot, until its runs have ended and been recorded. */
const slotWorkMs = 25_000

export async function benchScale(percent: number): Promise<void> {
  const size = sizeOf(percent)
  const folder = mkdtempSync(join(tmpdir(), 'taskmill-scale-'))
  await using controlPlane = await startControlPlane()
  await using redis = await startRedis()
  await using client = await connectCluster(controlPlane.kubeconfig)
  const commands = new Redis({ host: redis.host, port: redis.port })
  await installCrds(client)
  await client.create(namespaces, { metadata: { name: namespace } }, { fieldManager: 'bench' })
  await createBroker(client, namespace, redis.address)
  console.log(`\n${inWords(size)}`)
  line('objects created in', seconds(await timed(() => createLoad(client, namespace, size))))
  {
    await using _worker = startPlainWorker({ redis, queues: Object.values(queues), recordFile: join(folder, 'runs') })
    const start = (identity: string) => startBenchedOperator(controlPlane, { identity })
    await using leader = start('operator-0')
    const memory = sampleMemory(leader)
    await measureStart(leader, client, commands, size)
    await using follower = start('operator-1')
    await follower.logged('operator started')
    await measureMinute([leader, follower], memory, commands, size)
    await measureMetrics(leader)
    line('what the leader keeps, after a collection', keptWords(await keptBy(leader, 1)))
    await measureTakeOver(leader, follower, commands)
    memory.stop()
    const after = sampleMemory(follower)
    await measureDeletion(follower, client, commands)
    line('most memory from the take-over on', megabytes(after.takeMax()))
    after.stop()
    await follower.kill()
    await measureEmpty(start('operator-2'))
    const { emptyMb, fullMb } = await memoryOfCronJobs({ client, kubeconfig: controlPlane.kubeconfig, folder }, size.schedules)
    line('the CronJob controller: without and with as many', `${megabytes(emptyMb)}, ${megabytes(fullMb)}`)
  }
  commands.disconnect()
  rmSync(folder, { recursive: true })
}

const line = (name: string, text: string): void => console.log(`  ${name.padEnd(44)}${text}`)
const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`
const megabytes = (mb: number): string => `${mb.toFixed(0)} MB`
const inWords = ({ pools, schedules, runs, alerts }: Size): string =>
  `${pools} pools, ${schedules} schedules, ${runs} runs, ${alerts} alerts, one operator with the chart's limits`

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now()
  await work()
  return performance.now() - startedMs
}

/** How long it took, or that it took too long. */
async function timedWait(wait: Promise<unknown>): Promise<string> {
  const startedMs = performance.now()
  const isLate = await Promise.race([wait.then(() => false), sleep(mostWaitMs, true)])
  return isLate ? `not within ${seconds(mostWaitMs)}` : seconds(performance.now() - startedMs)
}

/** The most memory since the last look. */
function sampleMemory({ pid }: OperatorProcess): { takeMax(): number; stop(): void } {
  let max = 0
  const look = (): void => {
    try {
      max = Math.max(max, usageOf(pid).rssMb)
    } catch {
      // It was killed on purpose.
    }
  }
  const timer = setInterval(look, 250)
  return {
    takeMax() {
      const most = max
      max = 0
      return most
    },
    stop: () => clearInterval(timer),
  }
}

async function measureStart(leader: OperatorProcess, client: KubeClient, commands: Redis, size: Size): Promise<void> {
  const startedMs = Date.now()
  const stop = new AbortController()
  const settled = untilSettled(client, namespace, size.schedules, stop.signal)
  await leader.logged('leading')
  const leadingMs = Date.now()
  line('start until it leads', seconds(leadingMs - startedMs))
  const first = await firstAdded(commands, startedMs)
  line('start until the first slot is in a queue', first === undefined ? `not within ${seconds(mostWaitMs)}` : seconds(first - startedMs))
  line('then until every schedule has its status', await timedWait(settled))
  stop.abort()
}

/** When a job of a schedule was added to a queue first after a moment, by the broker's clock. */
async function firstAdded(commands: Redis, afterMs: number): Promise<number | undefined> {
  const streams = [queues.allow, queues.forbid].map((queue) => queueKeys('bull', queue).events)
  for (const endMs = Date.now() + mostWaitMs; Date.now() < endMs; await sleep(50)) {
    const found: number[] = []
    for (const stream of streams) {
      for (const [id, fields] of await commands.xrange(stream, `${afterMs}`, '+', 'COUNT', 1_000)) {
        if (fields[fields.indexOf('event') + 1] === 'added') found.push(Number(id.split('-')[0]))
      }
    }
    if (found.length > 0) return Math.min(...found)
  }
  return undefined
}

/** The last seconds before a minute, then its slots. */
async function measureMinute(
  [leader, follower]: readonly [OperatorProcess, OperatorProcess],
  memory: ReturnType<typeof sampleMemory>,
  commands: Redis,
  size: Size,
): Promise<void> {
  const slotMs = Math.ceil((Date.now() + slotWorkMs) / minuteMs) * minuteMs
  await sleep(slotMs - 5_000 - Date.now())
  const rest = usageOf(leader.pid)
  line('memory of the leader until here, at most', megabytes(memory.takeMax()))
  line('memory at rest: leader, follower', `${megabytes(rest.rssMb)}, ${megabytes(usageOf(follower.pid).rssMb)}`)
  await sleep(slotMs - 1_000 - Date.now())
  const before = usageOf(leader.pid)
  await sleep(slotMs + slotWorkMs - Date.now())
  const after = usageOf(leader.pid)
  line('memory of the leader under load, at most', megabytes(memory.takeMax()))
  line('processor of the leader for the minute', `${(after.cpuSeconds - before.cpuSeconds).toFixed(1)} s of a core`)
  const late = await latenessOf(commands, slotMs)
  const { p50, p99, count } = percentiles(late)
  line('slots with Forbid: job added after', `p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms, ${count} of ${forbidCount(size)}`)
}

/** By how much the jobs of one slot came late, from the entries of the queue's own stream. */
async function latenessOf(commands: Redis, slotMs: number): Promise<readonly number[]> {
  const late: number[] = []
  for (const [entry, fields] of await commands.xrange(queueKeys('bull', queues.forbid).events, `${slotMs}`, '+')) {
    const of = (name: string): string => fields[fields.indexOf(name) + 1] ?? ''
    if (of('event') === 'added' && of('jobId').endsWith(`/${slotName(slotMs / 1_000)}`)) late.push(Number(entry.split('-')[0]) - slotMs)
  }
  return late
}

/** The lag of the event loop is that since the reading before: its gauges start anew with each. Without any it is 10 ms, the pace of its timer. */
async function measureMetrics(leader: OperatorProcess): Promise<void> {
  const { port } = await leader.logged('operator started')
  const read = async () => {
    const startedMs = performance.now()
    const text = await (await fetch(`http://127.0.0.1:${String(port)}/metrics`)).text()
    return { text, ms: performance.now() - startedMs }
  }
  const readings = []
  for (let round = 0; round < 6; round += 1) {
    readings.push(await read())
    await sleep(100)
  }
  const { text = '' } = readings.at(-1) ?? {}
  const turns = readings.slice(1).map((reading) => Number(/^nodejs_eventloop_lag_p99_seconds (.+)$/mu.exec(reading.text)?.[1]) * 1_000)
  const times = percentiles(readings.map(({ ms }) => ms))
  line('/metrics', `p50 ${times.p50.toFixed(0)} ms, ${text.split('\n').length} lines, ${(text.length / 1e6).toFixed(1)} MB`)
  line('p99 of the lag of the event loop while read', `p50 ${percentiles(turns).p50.toFixed(0)} ms`)
}

async function measureTakeOver(leader: OperatorProcess, follower: OperatorProcess, commands: Redis): Promise<void> {
  const killedMs = Date.now()
  await leader.kill()
  await follower.logged('leading')
  const leadingMs = Date.now()
  line('take-over: SIGKILL until the other leads', seconds(leadingMs - killedMs))
  const dueMs = Math.max(leadingMs, Math.ceil(killedMs / minuteMs) * minuteMs)
  const first = await firstAdded(commands, leadingMs)
  line('then until the first slot that was due', first === undefined ? `not within ${seconds(mostWaitMs)}` : seconds(first - dueMs))
}

async function measureDeletion(operator: OperatorProcess, client: KubeClient, commands: Redis): Promise<void> {
  const { port } = await operator.logged('operator started')
  const requests = () =>
    Promise.all(['PATCH', 'POST', 'GET'].map((method) => countedBy(port, 'rest_client_requests_total', `method="${method}"`)))
  const before = await requests()
  const startedMs = Date.now()
  await client.delete(namespaces, undefined, namespace)
  line('deletion of the namespace', await timedWait(untilGone(client)))
  const [patches = 0, posts = 0, gets = 0] = (await requests()).map((count, index) => count - (before[index] ?? 0))
  line('requests of the operator meanwhile', `${patches} PATCH (status), ${posts} POST (Events, and the Lease), ${gets} GET`)
  const isOwn = (key: string): boolean => key.includes('.taskmill') || key.includes(':taskmill:')
  const ownKeys = async (): Promise<readonly string[]> => (await commands.keys('*')).filter(isOwn)
  let own = await ownKeys()
  for (const endMs = Date.now() + redisWaitMs; own.length > 0 && Date.now() < endMs; await sleep(500)) own = await ownKeys()
  const emptied = `${seconds(Date.now() - startedMs)} after the deletion began`
  line('no key of Taskmill is left in Redis', own.length === 0 ? emptied : `${own.length} are left after ${seconds(redisWaitMs)}`)
  for (const [kind, names] of Map.groupBy(await commands.keys('*'), kindOfKey)) line(`  ${kind}`, `${names.length}, such as ${names[0]}`)
  await sleep(10_000)
  line('memory after the deletion', megabytes(usageOf(operator.pid).rssMb))
  line('what it keeps, after a collection', keptWords(await keptBy(operator, 1)))
}

/** What an operator keeps that has never seen any of it: the same, if nothing that is gone is kept. */
async function measureEmpty(operator: OperatorProcess): Promise<void> {
  await using empty = operator
  await empty.logged('leading')
  await sleep(20_000)
  line('what a new operator keeps', keptWords(await keptBy(empty, 1)))
}

const keptWords = ({ heapMb, rssMb }: Awaited<ReturnType<typeof keptBy>>): string =>
  `${megabytes(heapMb)} of heap, ${megabytes(rssMb)} in all`

async function untilGone(client: KubeClient): Promise<void> {
  const isThere = (): Promise<boolean> =>
    client.get(namespaces, undefined, namespace).then(
      () => true,
      (error: unknown) => !hasCode(error, 'TM_KUBE_NOT_FOUND'),
    )
  for (const endMs = Date.now() + mostWaitMs; Date.now() < endMs && (await isThere());) await sleep(250)
}

/** What a key is: the first part of its name that says it. */
function kindOfKey(key: string): string {
  if (key.includes('.taskmill')) return `of Taskmill: ${key.split(':').slice(1, 3).join(':')}`
  return Object.values(queues).some((queue) => key.startsWith(`bull:${queue}:tm/`)) ? 'jobs that ended, kept by their worker' : 'of queues'
}
