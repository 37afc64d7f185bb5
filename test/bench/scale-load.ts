/** The load of the scale benchmark: its sizes, and the objects as people would write them. */
import {
  taskAlerts,
  taskExecutions,
  taskSchedules,
  type KubeObject,
  type Resource,
  type TaskAlert,
  type TaskExecution,
  type TaskSchedule,
} from '../../src/api/index.ts'
import type { KubeClient } from '../../src/kube/index.ts'
import { createPool } from '../support/manifests.ts'
import { sendAll } from './at-once.ts'

/** What one operator with the chart's limits must carry. */
export const fullSize = { pools: 1_000, schedules: 10_000, runs: 2_000, alerts: 500 } as const
/** One schedule in so many is due every minute, and half of these with Forbid; the others are due once a day. */
const oneInEveryMinute = 10

export type Size = { readonly [Kind in keyof typeof fullSize]: number }

/** That share of the full size, in percent; at least 20 schedules, so that each policy has one that is due every minute. */
export function sizeOf(percent: number): Size {
  const part = (whole: number, least = 1): number => Math.max(least, Math.round((whole * percent) / 100))
  return { pools: part(fullSize.pools), schedules: part(fullSize.schedules, 20), runs: part(fullSize.runs), alerts: part(fullSize.alerts) }
}

/** Queues of the jobs; a plain worker consumes all three. */
export const queues = { allow: 'scale-allow', forbid: 'scale-forbid', runs: 'scale-runs' } as const

type MinutePolicy = 'Allow' | 'Forbid'

/** Which policy the schedule of this number has if it is due every minute; undefined: it is due once a day. */
function minutePolicyOf(index: number): MinutePolicy | undefined {
  if (index % oneInEveryMinute !== 0) return undefined
  return index % (2 * oneInEveryMinute) === 0 ? 'Allow' : 'Forbid'
}

/** How many schedules are due every minute with Forbid. */
export const forbidCount = ({ schedules }: Size): number =>
  Array.from({ length: schedules }, (_, index) => minutePolicyOf(index)).filter((policy) => policy === 'Forbid').length

function scheduleSpec(index: number, busy: object): object {
  const policy = minutePolicyOf(index)
  if (policy === undefined) {
    // Spread over the day; no two neighbours share an expression.
    const minute = (index * 7) % 60
    return { schedules: [`${minute} ${index % 24} * * *`], task: { type: 'daily', queue: queues.allow } }
  }
  const queue = policy === 'Allow' ? queues.allow : queues.forbid
  return { ...busy, concurrencyPolicy: policy, task: { type: 'minutely', queue, payload: { tenant: `tenant-${index}` } } }
}

/** Creates all objects in the namespace; the TaskBroker is the caller's. `busy`: when those are due that are not due once a day. */
export async function createLoad(
  client: KubeClient,
  namespace: string,
  size: Size,
  busy: object = { schedules: ['* * * * *'] },
): Promise<void> {
  const create = <T extends KubeObject>(resource: Resource<T>, name: string, spec: object) => {
    const object = { metadata: { namespace, name }, spec } as unknown as Parameters<typeof client.create<T>>[1]
    return () => client.create(resource, object, { fieldManager: 'bench', fieldValidation: 'Strict' })
  }
  const numbered = <R>(count: number, make: (index: number) => R): readonly R[] => Array.from({ length: count }, (_, index) => make(index))
  await sendAll([
    ...numbered(size.pools, (index) => () => createPool(client, namespace, `pool-${index}`, { queues: [{ name: `pool-${index}` }] })),
    ...numbered(size.schedules, (index) => create<TaskSchedule>(taskSchedules, `schedule-${index}`, scheduleSpec(index, busy))),
    ...numbered(size.runs, (index) =>
      create<TaskExecution>(taskExecutions, `run-${index}`, { task: { type: 'once', queue: queues.runs } }),
    ),
    ...numbered(size.alerts, (index) =>
      create<TaskAlert>(taskAlerts, `alert-${index}`, {
        target: { kind: 'TaskSchedule', name: `schedule-${index * oneInEveryMinute}` },
        noSuccess: {},
        windowSeconds: 900,
      }),
    ),
  ])
}
