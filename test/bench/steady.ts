/**
 * 100 slots a second: 100 schedules of all policies that are each due every second. How late their jobs are, by how much their statuses are behind,
 * and what the operator writes for them, seen by a proxy between it and the API server. There is no peer: neither a CronJob nor anything else
 * that shows its runs in an object can be due every second. `STEADY_SECONDS` says for how long; the goal is stated for two minutes.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { startControlPlane } from '../../hack/cluster/control-plane.ts'
import { startRedis } from '../../hack/cluster/redis.ts'
import { taskSchedules, type TaskSchedule } from '../../src/api/index.ts'
import { systemClock } from '../../src/clock/index.ts'
import { queueKeys, slotName } from '../../src/contract/index.ts'
import { createInformer, type KubeClient } from '../../src/kube/index.ts'
import { silentLogger } from '../../src/observability/index.ts'
import { connectCluster, installCrds } from '../support/cluster-client.ts'
import { createBroker } from '../support/manifests.ts'
import { startPlainWorker } from '../support/plain-worker.ts'
import { startRecordingProxy, type Sent } from '../support/recording-proxy.ts'
import { sendAll } from './at-once.ts'
import { startBenchedOperator } from './operator.ts'
import { untilSettled } from './slot-lateness.ts'
import { percentiles } from './table.ts'
import { usageOf } from './usage.ts'

const namespace = 'default'
const policies = ['Allow', 'Forbid', 'Replace', 'Queue'] as const
const schedules = 100
/** Until the first runs have been recorded, and the writes of the start are over. */
const warmUpMs = 10_000
const sampleMs = 250
/** At most one write of a status in this time. */
const writeGapMs = 5_000

export async function benchSteady(seconds: number): Promise<void> {
  await using controlPlane = await startControlPlane()
  await using redis = await startRedis()
  await using client = await connectCluster(controlPlane.kubeconfig)
  const folder = mkdtempSync(join(tmpdir(), 'taskmill-steady-'))
  await installCrds(client)
  await using proxy = await startRecordingProxy(controlPlane, 'operator', { answerAfterMs: 0 })
  await using operator = startBenchedOperator(proxy)
  await using _worker = startPlainWorker({ redis, queues: policies, recordFile: join(folder, 'runs') })
  const commands = new Redis({ host: redis.host, port: redis.port })
  const stop = new AbortController()
  await createBroker(client, namespace, redis.address)
  const shown = watchShown(client, stop.signal)
  const settled = untilSettled(client, namespace, schedules, stop.signal)
  await createAll(client)
  await settled
  await sleep(warmUpMs)

  const before = { usage: usageOf(operator.pid), sent: proxy.sent.length, slot: Math.ceil(Date.now() / 1_000) }
  const behind: number[] = []
  const added = readAdded(commands)
  for (const endMs = Date.now() + seconds * 1_000; Date.now() < endMs; await sleep(sampleMs)) {
    behind.push(...behindNow(shown))
    await added.read()
  }
  const lastSlot = Math.floor(Date.now() / 1_000) - 1
  const after = usageOf(operator.pid)
  const writes = proxy.sent.slice(before.sent).filter(isStatus)
  // The last slots get their jobs.
  await sleep(2_000)
  await added.read()
  const late = added.late(before.slot, lastSlot)

  console.log(`\n${schedules} schedules of all policies, each due every second, over ${seconds} s`)
  const line = (name: string, text: string): void => console.log(`  ${name.padEnd(44)}${text}`)
  const inWords = (values: readonly number[], unit: string): string => {
    const { p50, p95, p99 } = percentiles(values)
    return `p50 ${p50.toFixed(0)}, p95 ${p95.toFixed(0)}, p99 ${p99.toFixed(0)}, at most ${Math.max(...values).toFixed(0)} ${unit}`
  }
  line('jobs', `${late.length} of ${schedules * (lastSlot - before.slot + 1)} slots`)
  line('job added after its slot', inWords(late, 'ms'))
  line('status behind the slots', inWords(behind, 'ms'))
  line('writes of status', `${(writes.length / seconds).toFixed(1)} per second`)
  line('writes of one status within 5 s, at most', String(mostWithin(writes, writeGapMs)))
  line('processor of the operator', `${((100 * (after.cpuSeconds - before.usage.cpuSeconds)) / seconds).toFixed(1)} % of a core`)
  stop.abort()
  commands.disconnect()
  rmSync(folder, { recursive: true })
}

async function createAll(client: KubeClient): Promise<void> {
  await sendAll(
    Array.from({ length: schedules }, (_, index) => {
      const policy = policies[index % policies.length] ?? 'Allow'
      const spec = { everySeconds: 1, concurrencyPolicy: policy, task: { type: 'bench', queue: policy } }
      const schedule = { metadata: { namespace, name: `${policy.toLowerCase()}-${index}` }, spec } as unknown as TaskSchedule
      return () => client.create(taskSchedules, schedule, { fieldManager: 'bench', fieldValidation: 'Strict' })
    }),
  )
}

/** The newest slot that the status of each schedule shows. */
function watchShown(client: KubeClient, signal: AbortSignal): ReadonlyMap<string, number> {
  const shown = new Map<string, number>()
  const informer = createInformer<TaskSchedule>({
    client,
    resource: taskSchedules,
    namespace,
    clock: systemClock,
    log: silentLogger,
    rng: Math.random,
  })
  informer.onChange((key, schedule) => void shown.set(key, Date.parse(schedule?.status?.lastScheduleTime ?? '') / 1_000))
  informer.start(signal)
  return shown
}

/** For how long, in ms, each status has not shown the first slot that it does not show. */
function behindNow(shown: ReadonlyMap<string, number>): readonly number[] {
  const nowMs = Date.now()
  return [...shown.values()].map((slot) => Math.max(0, nowMs - (slot + 1) * 1_000))
}

const isStatus = ({ method, path }: Sent): boolean => method === 'PATCH' && path.includes('/taskschedules/') && path.endsWith('/status')

/** The most writes of one status in any stretch of this length. */
function mostWithin(writes: readonly Sent[], stretchMs: number): number {
  let most = 0
  for (const own of Map.groupBy(writes, ({ path }) => path).values()) {
    for (const [index, { atMs }] of own.entries()) {
      most = Math.max(most, own.slice(index).filter((later) => later.atMs < atMs + stretchMs).length)
    }
  }
  return most
}

/** The jobs that were added to the queues since, by the entries of their own streams, which keep only the newest. */
function readAdded(commands: Redis) {
  const addedAtMs = new Map<string, number>()
  const cursors = new Map<string, string>(policies.map((policy) => [policy, '-']))
  return {
    async read(): Promise<void> {
      for (const [queue, cursor] of cursors) {
        for (const [entry, fields] of await commands.xrange(queueKeys('bull', queue).events, cursor, '+')) {
          const of = (name: string): string => fields[fields.indexOf(name) + 1] ?? ''
          if (of('event') === 'added') addedAtMs.set(of('jobId'), Number(entry.split('-')[0]))
          cursors.set(queue, `(${entry}`)
        }
      }
    },
    /** By how much each job of these slots came late; one that was placed ahead came in time. */
    late(firstSlot: number, lastSlot: number): readonly number[] {
      const slots = new Map(
        Array.from({ length: lastSlot - firstSlot + 1 }, (_, index) => [slotName(firstSlot + index), firstSlot + index]),
      )
      return [...addedAtMs].flatMap(([id, atMs]) => {
        const slot = slots.get(id.split('/').at(-1) ?? '')
        return slot === undefined ? [] : [Math.max(0, atMs - slot * 1_000)]
      })
    },
  }
}
