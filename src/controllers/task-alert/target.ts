/** What a TaskAlert can watch, what it needs to know of it, and whether a user has suspended it. Pure. */
import type { Suspended } from '../../alerting/index.ts'
import {
  type Condition,
  type KubeObject,
  type Override,
  overrideAt,
  overrideOrigin,
  type Resource,
  type TaskAlert,
  taskDependencies,
  type TaskDependency,
  type TaskQueue,
  taskQueues,
  type TaskSchedule,
  taskSchedules,
  type WorkerPool,
  workerPools,
} from '../../api/index.ts'
import type { SubjectKind } from '../../contract/index.ts'

export type TargetKind = TaskAlert['spec']['target']['kind']

/** The fields that all targets have. */
export type TargetObject = KubeObject & { readonly status?: { readonly conditions?: readonly Condition[] } }

export type Target = {
  readonly object: TargetObject
  /** `namespace/name` of its TaskBroker. */
  readonly brokerKey: string
  /** The queues whose backlog is the backlog of the target. */
  readonly queues: readonly string[]
  /** The subjects whose counts of runs are those of the target. */
  readonly subjects: readonly { readonly subjectKind: SubjectKind; readonly subject: string }[]
  readonly schedule?: TaskSchedule
}

export const targetResources: Readonly<Record<TargetKind, { readonly resource: Resource<TargetObject>; readonly shortName: string }>> = {
  WorkerPool: { resource: workerPools, shortName: 'wp' },
  TaskQueue: { resource: taskQueues, shortName: 'tq' },
  TaskSchedule: { resource: taskSchedules, shortName: 'tsch' },
  TaskDependency: { resource: taskDependencies, shortName: 'tdep' },
}

export function poolTarget(object: WorkerPool): Target {
  return ofQueues(
    object,
    object.spec.queues.map(({ name }) => name),
  )
}

export function queueTarget(object: TaskQueue): Target {
  return ofQueues(object, [object.spec.queueName])
}

function ofQueues(object: WorkerPool | TaskQueue, queues: readonly string[]): Target {
  return { object, ...brokerOf(object), queues, subjects: queues.map((subject) => ({ subjectKind: 'Queue', subject })) }
}

export function scheduleTarget(object: TaskSchedule): Target {
  const subject = { subjectKind: 'TaskSchedule', subject: object.metadata.name } as const
  return { object, ...brokerOf(object), queues: [], subjects: [subject], schedule: object }
}

export function dependencyTarget(object: TaskDependency): Target {
  const subject = { subjectKind: 'TaskDependency', subject: object.metadata.name } as const
  return { object, ...brokerOf(object), queues: [], subjects: [subject] }
}

function brokerOf({ metadata, spec }: WorkerPool | TaskQueue | TaskSchedule | TaskDependency): Pick<Target, 'brokerKey'> {
  return { brokerKey: `${metadata.namespace ?? ''}/${spec.brokerRef.name}` }
}

/** `WorkerPool/namespace/name`: the key of a target among those of all kinds. */
export function targetKey(kind: TargetKind, namespace: string, name: string): string {
  return `${kind}/${namespace}/${name}`
}

export type Suspension = {
  readonly suspended?: Suspended
  /** When it changes by itself (Unix ms). */
  readonly changesAtMs?: number
}

/** The fields of the kinds that can be suspended. */
type Suspendable = KubeObject & {
  readonly spec?: { readonly suspend?: boolean; readonly override?: Override & { readonly suspend?: boolean } }
}

/** Whether an object is suspended: by its override while that is active, else by its spec. */
export function suspensionOf({ kind, metadata, spec }: Suspendable, nowMs: number): Suspension {
  const active = overrideAt(spec?.override, nowMs)
  const changes = active?.override.suspend === undefined ? {} : { changesAtMs: nowMs + active.endsInMs }
  const isSuspended = active?.override.suspend ?? spec?.suspend ?? false
  if (!isSuspended) return changes
  const by = active?.override.suspend === undefined ? '(spec.suspend)' : overrideOrigin(active.override)
  return { suspended: { words: `${kind} "${metadata.name}" is suspended ${by}` }, ...changes }
}
