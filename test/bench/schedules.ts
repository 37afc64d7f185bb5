/**
 * Slot lateness: 1,000 TaskSchedules that are all due in the same second, against 1,000 CronJobs of the same second in the same cluster.
 * Twice, a minute apart: schedules whose jobs are placed ahead (Allow), and schedules that decide at the slot (Forbid).
 *
 * Late is how long after the slot a run could start: for us when a plain BullMQ worker, a process of its own, has the job; for a CronJob
 * when a watch sees its Job. The Jobs are suspended, so that no pod costs anything. The CronJobs have it better than in most clusters: the
 * controller-manager here may send 1,000 requests a second (`hack/cluster/components.ts`), 20 by default.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { startControlPlane } from '../../hack/cluster/control-plane.ts'
import { startRedis } from '../../hack/cluster/redis.ts'
import { findCondition, taskSchedules, type KubeObject, type Resource, type TaskSchedule } from '../../src/api/index.ts'
import { systemClock } from '../../src/clock/index.ts'
import { queueKeys, slotName, type Slot } from '../../src/contract/index.ts'
import { createInformer, type KubeClient } from '../../src/kube/index.ts'
import { silentLogger } from '../../src/observability/index.ts'
import { connectCluster, installCrds } from '../support/cluster-client.ts'
import { createBroker } from '../support/manifests.ts'

import { startPlainWorker } from '../support/plain-worker.ts'
import { sendAll } from './at-once.ts'
import { startBenchedOperator } from './operator.ts'
import { percentiles, printRows, type Row } from './table.ts'
import { countedBy, usageOf } from './usage.ts'

const namespace = 'default'
const count = 1_000
/** From the first creation to the first slot, at least: 3,000 objects have to be created and to come to rest. */
const leadMs = 75_000
const lookMs = 55_000
const minuteMs = 60_000
/** Around each slot, so that what belongs to it is counted with it. */
const restMs = 2_000

type Spec = KubeObject & { readonly spec: object }
const cronJobs: Resource<Spec> = { group: 'batch', version: 'v1', kind: 'CronJob', plural: 'cronjobs', namespaced: true }
const jobs: Resource<Spec> = { group: 'batch', version: 'v1', kind: 'Job', plural: 'jobs', namespaced: true }

const phases = [
  { policy: 'Allow', title: 'placed ahead (Allow)' },
  { policy: 'Forbid', title: 'decided at the slot (Forbid)' },
] as const
type Phase = (typeof phases)[number]

export async function benchSchedules(): Promise<void> {
  await using controlPlane = await startControlPlane()
  await using redis = await startRedis()
  await using client = await connectCluster(controlPlane.kubeconfig)
  const folder = mkdtempSync(join(tmpdir(), 'taskmill-bench-'))
  const recordFile = join(folder, 'runs')
  writeFileSync(recordFile, '')
  await installCrds(client)
  await using operator = startBenchedOperator(controlPlane)
  await using _worker = startPlainWorker({ redis, queues: phases.map(({ policy }) => policy), recordFile })
  const commands = new Redis({ host: redis.host, port: redis.port })
  const stop = new AbortController()
  await createBroker(client, namespace, redis.address)

  const firstMs = firstMinute(Date.now() + leadMs)
  const slotsMs = phases.map((_, index) => firstMs + index * minuteMs)
  const seen = watchJobs(client, stop.signal)
  const settled = untilSettled(client, stop.signal)
  await createAll(client, slotsMs)
  const late = await Promise.race([settled.then(() => false), sleep(firstMs - Date.now() - 2_000, true)])
  if (late) console.log(`\nnot every TaskSchedule was ready 2 s before its slot: the figures below are not those of schedules at rest`)

  const { port } = await operator.logged('operator started')
  const patches = (): Promise<number> => countedBy(port, 'rest_client_requests_total', 'method="PATCH"')
  for (const [index, phase] of phases.entries()) {
    const slotMs = slotsMs[index] ?? 0
    await sleep(Math.max(0, slotMs - restMs - Date.now()))
    const before = { ...usageOf(operator.pid), patches: await patches() }
    const runs = () => runsOf(recordFile, phase, slotMs)
    await untilAllOrLate(slotMs, () => runs().size >= count && (seen.get(slotMs)?.length ?? 0) >= count)
    printPhase(phase, [...runs().values()], await readyOf(commands, phase, slotMs), seen.get(slotMs) ?? [])
    await sleep(restMs)
    const after = { ...usageOf(operator.pid), patches: await patches() }
    const cpuSeconds = (after.cpuSeconds - before.cpuSeconds).toFixed(1)
    console.log(
      `  of the operator until now: ${cpuSeconds} s of a core, ${after.patches - before.patches} writes of status, ${after.rssMb.toFixed(0)} MB`,
    )
  }
  stop.abort()
  commands.disconnect()
  rmSync(folder, { recursive: true })
}

/** A minute such that the one after it is in the same hour, for one expression names both. */
function firstMinute(afterMs: number): number {
  const atMs = Math.ceil(afterMs / minuteMs) * minuteMs
  return new Date(atMs).getUTCMinutes() === 59 ? atMs + minuteMs : atMs
}

/** An expression for minutes of one hour of today. */
function cronOf(slotsMs: readonly number[]): string {
  const hour = new Date(slotsMs[0] ?? 0).getUTCHours()
  return `${slotsMs.map((slotMs) => new Date(slotMs).getUTCMinutes()).join(',')} ${hour} * * *`
}

async function createAll(client: KubeClient, slotsMs: readonly number[]): Promise<void> {
  const container = { name: 'main', image: 'localhost/none:1' }
  const jobTemplate = { spec: { suspend: true, template: { spec: { restartPolicy: 'Never', containers: [container] } } } }
  const cronJob = { schedule: cronOf(slotsMs), timeZone: 'Etc/UTC', jobTemplate }
  const requests = Array.from({ length: count }, (_, index) => [
    ...phases.map(({ policy }, at) => {
      const spec = { schedules: [cronOf([slotsMs[at] ?? 0])], concurrencyPolicy: policy, task: { type: 'bench', queue: policy } }
      const schedule = { metadata: { namespace, name: `${policy.toLowerCase()}-${index}` }, spec }
      return () => client.create(taskSchedules, schedule as unknown as TaskSchedule, { fieldManager: 'bench', fieldValidation: 'Strict' })
    }),
    () => client.create(cronJobs, { metadata: { namespace, name: `cron-${index}` }, spec: cronJob }, { fieldManager: 'bench' }),
  ]).flat()
  await sendAll(requests)
}

/** When every TaskSchedule says that its next slot will be dispatched. */
async function untilSettled(client: KubeClient, signal: AbortSignal): Promise<void> {
  const informer = createInformer<TaskSchedule>({
    client,
    resource: taskSchedules,
    namespace,
    clock: systemClock,
    log: silentLogger,
    rng: Math.random,
  })
  const ready = new Set<string>()
  const all = Promise.withResolvers<void>()
  informer.onChange((key, object) => {
    if (findCondition(object?.status?.conditions, 'Ready')?.reason === 'SlotScheduled') ready.add(key)
    if (ready.size === phases.length * count) all.resolve()
  })
  informer.start(signal)
  await all.promise
}

/** By slot: how late each Job was seen. */
function watchJobs(client: KubeClient, signal: AbortSignal): ReadonlyMap<number, readonly number[]> {
  const informer = createInformer<Spec>({ client, resource: jobs, namespace, clock: systemClock, log: silentLogger, rng: Math.random })
  const seen = new Map<number, number[]>()
  informer.onChange((_, job, before) => {
    const slot = job?.metadata.annotations?.['batch.kubernetes.io/cronjob-scheduled-timestamp']
    if (slot === undefined || before !== undefined) return
    const slotMs = Date.parse(slot)
    seen.set(slotMs, [...(seen.get(slotMs) ?? []), Date.now() - slotMs])
  })
  informer.start(signal)
  return seen
}

async function untilAllOrLate(slotMs: number, isAll: () => boolean): Promise<void> {
  await sleep(Math.max(0, slotMs - Date.now()))
  while (!isAll() && Date.now() < slotMs + lookMs) await sleep(1_000)
}

const isOf = (id: string, { policy }: Phase, slotMs: number): boolean => {
  const slot: Slot = slotMs / 1_000
  return id.startsWith(`tm/default/${namespace}/${policy.toLowerCase()}-`) && id.endsWith(`/${slotName(slot)}`)
}

/** By job: how late its handler was called first. */
function runsOf(recordFile: string, phase: Phase, slotMs: number): ReadonlyMap<string, number> {
  const runs = new Map<string, number>()
  for (const line of readFileSync(recordFile, 'utf8').split('\n')) {
    const [id = '', , time = ''] = line.split(' ')
    if (isOf(id, phase, slotMs) && !runs.has(id)) runs.set(id, Date.parse(time) - slotMs)
  }
  return runs
}

/** How late the jobs could be fetched, by the broker's clock: the ids of the entries of the queue's own stream tell. */
async function readyOf(commands: Redis, phase: Phase, slotMs: number): Promise<readonly number[]> {
  const ready = new Map<string, number>()
  for (const [entryId, fields] of await commands.xrange(queueKeys('bull', phase.policy).events, '-', '+')) {
    const of = (name: string): string => fields[fields.indexOf(name) + 1] ?? ''
    const id = of('jobId')
    if (of('event') === 'waiting' && isOf(id, phase, slotMs) && !ready.has(id)) ready.set(id, Number(entryId.split('-')[0]) - slotMs)
  }
  return [...ready.values()]
}

function printPhase({ title }: Phase, runs: readonly number[], ready: readonly number[], created: readonly number[]): void {
  const row = (name: string, values: readonly number[]): Row => {
    const inTime = values.filter((value) => value <= lookMs)
    return { name, values: inTime, more: [(inTime.toSorted((a, b) => a - b).at(-1) ?? Number.NaN).toFixed(0), String(inTime.length)] }
  }
  const ours = [row('job is ready in the queue', ready), row('worker has the job', runs)]
  const whole = `${count.toLocaleString('en')} slots of one second, ${title}: late by (ms)`
  printRows(whole, ours, row('Job of a CronJob exists', created), ['max', `within ${lookMs / 1_000} s`])
  if (percentiles(runs).count < count) console.log(`  ${count - runs.length} of the runs did not come`)
}
