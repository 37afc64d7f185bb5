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
import { taskSchedules, type TaskSchedule } from '../../src/api/index.ts'
import { slotName } from '../../src/contract/index.ts'
import type { KubeClient } from '../../src/kube/index.ts'
import { connectCluster, installCrds } from '../support/cluster-client.ts'
import { createBroker } from '../support/manifests.ts'
import { startPlainWorker } from '../support/plain-worker.ts'
import { sendAll } from './at-once.ts'
import { startBenchedOperator } from './operator.ts'
import {
  cronJobOf,
  cronJobs,
  cronOf,
  firstMinute,
  lateColumns,
  lateRow,
  lookMs,
  minuteMs,
  readyIn,
  untilSettled,
  watchJobs,
} from './slot-lateness.ts'
import { percentiles, printRows } from './table.ts'
import { countedBy, usageOf } from './usage.ts'

const namespace = 'default'
const count = 1_000
/** From the first creation to the first slot, at least: 3,000 objects have to be created and to come to rest. */
const leadMs = 75_000
/** Around each slot, so that what belongs to it is counted with it. */
const restMs = 2_000

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
  const seen = watchJobs(client, namespace, stop.signal)
  const settled = untilSettled(client, namespace, phases.length * count, stop.signal)
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
    printPhase(phase, [...runs().values()], await readyIn(commands, phase.policy, slotMs), seen.get(slotMs) ?? [])
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

async function createAll(client: KubeClient, slotsMs: readonly number[]): Promise<void> {
  const cronJob = cronJobOf(cronOf(slotsMs))
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

async function untilAllOrLate(slotMs: number, isAll: () => boolean): Promise<void> {
  await sleep(Math.max(0, slotMs - Date.now()))
  while (!isAll() && Date.now() < slotMs + lookMs) await sleep(1_000)
}

/** By job: how late its handler was called first. */
function runsOf(recordFile: string, { policy }: Phase, slotMs: number): ReadonlyMap<string, number> {
  const runs = new Map<string, number>()
  for (const line of readFileSync(recordFile, 'utf8').split('\n')) {
    const [id = '', , time = ''] = line.split(' ')
    const isOfPhase = id.startsWith(`tm/default/${namespace}/${policy.toLowerCase()}-`) && id.endsWith(`/${slotName(slotMs / 1_000)}`)
    if (isOfPhase && !runs.has(id)) runs.set(id, Date.parse(time) - slotMs)
  }
  return runs
}

function printPhase({ title }: Phase, runs: readonly number[], ready: readonly number[], created: readonly number[]): void {
  const ours = [lateRow('job is ready in the queue', ready), lateRow('worker has the job', runs)]
  const whole = `${count.toLocaleString('en')} slots of one second, ${title}: late by (ms)`
  printRows(whole, ours, lateRow('Job of a CronJob exists', created), lateColumns)
  if (percentiles(runs).count < count) console.log(`  ${count - runs.length} of the runs did not come`)
}
