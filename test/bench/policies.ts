/**
 * Slots of all policies in one second: 10,000 TaskSchedules, one in ten of them due in the same second, a quarter of these with each policy, and
 * as many CronJobs of that second in the same cluster. The others are due once a day.
 *
 * Late is how long after the slot a run could start: for us when its job is in the queue; for a CronJob when a watch sees its Job. A plain BullMQ
 * worker runs the jobs, so that their ends are recorded meanwhile. `SCALE_PERCENT` chooses the share of the full size.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { startControlPlane } from '../../hack/cluster/control-plane.ts'
import { startRedis } from '../../hack/cluster/redis.ts'
import { taskSchedules, type TaskSchedule } from '../../src/api/index.ts'
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
import { printRows } from './table.ts'
import { countedBy, usageOf } from './usage.ts'

const namespace = 'default'
const policies = ['Allow', 'Forbid', 'Replace', 'Queue'] as const
const fullCount = 10_000
const oneDueIn = 10
/** The creation of the objects takes this long for each, and then they have to come to rest. */
const creationMs = 8
const restMs = 30_000
/** Two slots: in the second one each schedule has had a run before. */
const rounds = 2

export async function benchPolicies(percent: number): Promise<void> {
  // A multiple of what each policy needs.
  const due = Math.max(1, Math.round((fullCount * percent) / 100 / oneDueIn / policies.length)) * policies.length
  const count = due * oneDueIn
  await using controlPlane = await startControlPlane()
  await using redis = await startRedis()
  await using client = await connectCluster(controlPlane.kubeconfig)
  const folder = mkdtempSync(join(tmpdir(), 'taskmill-policies-'))
  await installCrds(client)
  await using operator = startBenchedOperator(controlPlane)
  await using _worker = startPlainWorker({ redis, queues: policies, recordFile: join(folder, 'runs') })
  const commands = new Redis({ host: redis.host, port: redis.port })
  const stop = new AbortController()
  await createBroker(client, namespace, redis.address)

  const firstMs = firstMinute(Date.now() + (count + due) * creationMs + restMs)
  const slotsMs = Array.from({ length: rounds }, (_, index) => firstMs + index * minuteMs)
  const created = watchJobs(client, namespace, stop.signal)
  const settled = untilSettled(client, namespace, count, stop.signal)
  await createAll(client, { count, due, slotsMs })
  const isLate = await Promise.race([settled.then(() => false), sleep(firstMs - Date.now() - 2_000, true)])
  if (isLate) console.log(`\nnot every TaskSchedule was ready 2 s before its slot: the figures below are not those of schedules at rest`)

  const { port } = await operator.logged('operator started')
  const usage = async () => ({ ...usageOf(operator.pid), patches: await countedBy(port, 'rest_client_requests_total', 'method="PATCH"') })
  for (const [index, slotMs] of slotsMs.entries()) {
    await sleep(Math.max(0, slotMs - 2_000 - Date.now()))
    const before = await usage()
    // With each policy all runs come, unless one is late enough to overlap the slot after it.
    const isThere = async () => (await readyOf(commands, slotMs)).flat().length >= due && (created.get(slotMs)?.length ?? 0) >= due
    do await sleep(1_000)
    while (Date.now() < slotMs || (Date.now() < slotMs + lookMs && !(await isThere())))
    const ready = await readyOf(commands, slotMs)
    const rows = [...policies.map((policy, at) => lateRow(policy, ready[at] ?? [])), lateRow('all policies', ready.flat())]
    const title = `${due} slots of one second, of ${count} schedules, slot ${index + 1}: late by (ms)`
    printRows(title, rows, lateRow('Job of a CronJob exists', created.get(slotMs) ?? []), lateColumns)
    const after = await usage()
    console.log(
      `  of the operator until then: ${(after.cpuSeconds - before.cpuSeconds).toFixed(1)} s of a core, ${after.patches - before.patches} writes of status`,
    )
  }
  stop.abort()
  commands.disconnect()
  rmSync(folder, { recursive: true })
}

function readyOf(commands: Redis, slotMs: number): Promise<readonly (readonly number[])[]> {
  return Promise.all(policies.map((policy) => readyIn(commands, policy, slotMs)))
}

async function createAll(
  client: KubeClient,
  { count, due, slotsMs }: { readonly count: number; readonly due: number; readonly slotsMs: readonly number[] },
): Promise<void> {
  const schedules = Array.from({ length: count }, (_, index) => {
    const policy = policies[index % policies.length] ?? 'Allow'
    // Spread over the day; no two neighbours share an expression.
    const expression = index < due ? cronOf(slotsMs) : `${(index * 7) % 60} ${index % 24} * * *`
    const spec = { schedules: [expression], concurrencyPolicy: policy, task: { type: 'bench', queue: policy } }
    const schedule = { metadata: { namespace, name: `${policy.toLowerCase()}-${index}` }, spec } as unknown as TaskSchedule
    return () => client.create(taskSchedules, schedule, { fieldManager: 'bench', fieldValidation: 'Strict' })
  })
  const spec = cronJobOf(cronOf(slotsMs))
  const peers = Array.from(
    { length: due },
    (_, index) => () => client.create(cronJobs, { metadata: { namespace, name: `cron-${index}` }, spec }, { fieldManager: 'bench' }),
  )
  await sendAll([...schedules, ...peers])
}
