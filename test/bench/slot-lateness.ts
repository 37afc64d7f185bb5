/** How late slots are: our jobs by the entries of their queue's own stream, the Jobs of CronJobs by a watch. */
import type { Redis } from 'ioredis'
import { findCondition, taskSchedules, type Condition, type KubeObject, type Resource } from '../../src/api/index.ts'
import { systemClock } from '../../src/clock/index.ts'
import { queueKeys, slotName } from '../../src/contract/index.ts'
import { createInformer, type KubeClient } from '../../src/kube/index.ts'
import { silentLogger } from '../../src/observability/index.ts'
import type { Row } from './table.ts'

type Spec = KubeObject & { readonly spec: object }
export const cronJobs: Resource<Spec> = { group: 'batch', version: 'v1', kind: 'CronJob', plural: 'cronjobs', namespaced: true }
const jobs: Resource<Spec> = { group: 'batch', version: 'v1', kind: 'Job', plural: 'jobs', namespaced: true }

export const minuteMs = 60_000
/** A slot that is later than this did not come in time. */
export const lookMs = 55_000

/** A CronJob whose Jobs are suspended, so that no pod costs anything. */
export function cronJobOf(schedule: string): object {
  const container = { name: 'main', image: 'localhost/none:1' }
  const jobTemplate = { spec: { suspend: true, template: { spec: { restartPolicy: 'Never', containers: [container] } } } }
  return { schedule, timeZone: 'Etc/UTC', jobTemplate }
}

/** A minute such that the one after it is in the same hour, for one expression names both. */
export function firstMinute(afterMs: number): number {
  const atMs = Math.ceil(afterMs / minuteMs) * minuteMs
  return new Date(atMs).getUTCMinutes() === 59 ? atMs + minuteMs : atMs
}

/** An expression for minutes of one hour of today. */
export function cronOf(slotsMs: readonly number[]): string {
  const hour = new Date(slotsMs[0] ?? 0).getUTCHours()
  return `${slotsMs.map((slotMs) => new Date(slotMs).getUTCMinutes()).join(',')} ${hour} * * *`
}

type Conditioned = KubeObject & { readonly status?: { readonly conditions?: readonly Condition[] } }

/** When so many TaskSchedules say that their next slot will be dispatched; nothing but that is kept of them. */
export async function untilSettled(client: KubeClient, namespace: string, count: number, signal: AbortSignal): Promise<void> {
  const ready = new Set<string>()
  const all = Promise.withResolvers<void>()
  const informer = createInformer<Conditioned>({
    client,
    resource: taskSchedules,
    namespace,
    clock: systemClock,
    log: silentLogger,
    rng: Math.random,
    transform: ({ apiVersion, kind, metadata: { name, namespace: within, uid, resourceVersion }, status }) => ({
      apiVersion,
      kind,
      metadata: { name, namespace: within, uid, resourceVersion } as KubeObject['metadata'],
      status: { conditions: status?.conditions?.filter(({ type }) => type === 'Ready') ?? [] },
    }),
  })
  informer.onChange((key, object) => {
    if (findCondition(object?.status?.conditions, 'Ready')?.reason === 'SlotScheduled') ready.add(key)
    if (ready.size === count) all.resolve()
  })
  informer.start(signal)
  await all.promise
}

/** By slot: how late each Job of a CronJob was seen. */
export function watchJobs(client: KubeClient, namespace: string, signal: AbortSignal): ReadonlyMap<number, readonly number[]> {
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

/** How late the jobs of a slot could be fetched from a queue, by the broker's clock. */
export async function readyIn(commands: Redis, queue: string, slotMs: number): Promise<readonly number[]> {
  const ready = new Map<string, number>()
  for (const [entryId, fields] of await commands.xrange(queueKeys('bull', queue).events, '-', '+')) {
    const of = (name: string): string => fields[fields.indexOf(name) + 1] ?? ''
    const id = of('jobId')
    const isOfSlot = of('event') === 'waiting' && id.startsWith('tm/default/') && id.endsWith(`/${slotName(slotMs / 1_000)}`)
    if (isOfSlot && !ready.has(id)) ready.set(id, Number(entryId.split('-')[0]) - slotMs)
  }
  return [...ready.values()]
}

/** The columns of `lateRow` besides those of every table. */
export const lateColumns = ['max', `within ${lookMs / 1_000} s`] as const

export function lateRow(name: string, values: readonly number[]): Row {
  const inTime = values.filter((value) => value <= lookMs)
  return { name, values: inTime, more: [Math.max(...inTime).toFixed(0), String(inTime.length)] }
}
