import { createHash } from 'node:crypto'
import {
  apiVersionOf,
  type KubeObject,
  type ObjectMeta,
  type OwnerReference,
  type TaskExecution,
  type TaskSchedule,
  taskSchedules,
} from '../api/index.ts'
import { annotations, jobName, labels, parseOwner, type Slot, slotJobId, parseSlotJobId, slotTime } from '../contract/index.ts'

/** The TaskExecution of a slot is kept this long after its end, for users to inspect. */
const keptSeconds = 86_400
/** 40 bits: unique among the slots of a schedule whose runs still exist. */
const hashLength = 10

/** The slot that started an object, according to its name, labels and annotations. */
export type SlotRun = { readonly schedule: string; readonly ledger: string; readonly slot: Slot }

/**
 * Returns the name of the object that a slot starts. It is always the same, so that a process that repeats the start
 * finds the object.
 */
export function slotObjectName(schedule: string, id: string): string {
  const hash = createHash('sha256').update(id).digest('hex').slice(0, hashLength)
  return jobName([schedule], hash)
}

/** Returns undefined for an object that has the labels of a slot but was not started by it. */
export function parseSlotRun({ metadata }: Pick<KubeObject, 'metadata'>): SlotRun | undefined {
  const { name, namespace } = metadata
  const schedule = metadata.labels?.[labels.schedule]
  const id = metadata.annotations?.[annotations.jobId]
  const parsed = id === undefined ? undefined : parseSlotJobId(id)
  if (schedule === undefined || id === undefined || parsed === undefined) return undefined
  const owner = parseOwner(parsed.ledger)
  const isOurs = owner.kind === 'TaskSchedule' && owner.namespace === namespace && owner.name === schedule
  return isOurs && name === slotObjectName(schedule, id) ? { schedule, ...parsed } : undefined
}

/** Whether its end is in the ledger, if its schedule has one. */
export function isRecorded({ metadata }: Pick<KubeObject, 'metadata'>): boolean {
  return metadata.annotations?.[annotations.recorded] !== undefined
}

export type NewExecution = { readonly metadata: ObjectMeta; readonly spec: TaskExecution['spec'] }

/**
 * Returns the TaskExecution of a slot of a schedule that starts a graph. It is deleted with the schedule, unless
 * deletionPolicy is Orphan.
 */
export function executionOfSlot(
  schedule: TaskSchedule,
  ledger: string,
  slot: Slot,
  parameters: Readonly<Record<string, unknown>> | undefined,
): NewExecution {
  const { metadata, spec } = schedule
  const id = slotJobId(ledger, slot)
  const owner = ownerOfSlots(schedule)
  return {
    metadata: {
      name: slotObjectName(metadata.name, id),
      ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
      labels: { [labels.startedBy]: 'TaskSchedule', [labels.schedule]: metadata.name },
      annotations: { [annotations.jobId]: id },
      ...(owner === undefined ? {} : { ownerReferences: [owner] }),
    },
    spec: {
      ...(spec.dependencyRef === undefined ? {} : { dependencyRef: spec.dependencyRef }),
      ...(parameters === undefined ? {} : { parameters }),
      slotTime: slotTime(slot),
      desiredState: 'Running',
      ttlSecondsAfterFinished: keptSeconds,
    },
  }
}

/** Returns the owner reference of what the slots start; undefined if deletionPolicy is Orphan. */
export function ownerOfSlots({ metadata, spec }: TaskSchedule): OwnerReference | undefined {
  if (spec.deletionPolicy === 'Orphan') return undefined
  const { name, uid = '' } = metadata
  return { apiVersion: apiVersionOf(taskSchedules), kind: taskSchedules.kind, name, uid, controller: true }
}
