/** What a TaskAlert may watch, and what it needs to know of it. Pure. */
import {
  type Condition,
  type KubeObject,
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

/** As all targets have it. */
export type TargetObject = KubeObject & { readonly status?: { readonly conditions?: readonly Condition[] } }

export type Target = {
  readonly object: TargetObject
  /** `namespace/name` of its TaskBroker. */
  readonly brokerKey: string
  /** Whose backlog is the target's. */
  readonly queues: readonly string[]
  /** Whose ends are the target's. */
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
