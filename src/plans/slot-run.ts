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

/** The run of a slot stays so long after its end, for people to look at. */
const keptSeconds = 86_400
/** 40 bits: none of the slots of a schedule whose runs are still there meets another. */
const hashLength = 10

/** What a slot starts, as far as its name, labels and annotations tell. */
export type SlotRun = { readonly schedule: string; readonly ledger: string; readonly slot: Slot }

/** The name of what a slot starts in the API server: always the same, so that whoever starts it again finds it there. */
export function slotObjectName(schedule: string, id: string): string {
  const hash = createHash('sha256').update(id).digest('hex').slice(0, hashLength)
  return jobName([schedule], hash)
}

/** Of whoever wears the marks of a slot without being what the slot started, nothing is said. */
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

/** Its end is in the ledger, as far as its schedule has one. */
export function isRecorded({ metadata }: Pick<KubeObject, 'metadata'>): boolean {
  return metadata.annotations?.[annotations.recorded] !== undefined
}

export type NewExecution = { readonly metadata: ObjectMeta; readonly spec: TaskExecution['spec'] }

/** The run of a slot of a schedule that starts a graph. With the schedule it goes too, unless it is to stay. */
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

/** What the slots of a schedule start belongs to it, unless it is to stay. */
export function ownerOfSlots({ metadata, spec }: TaskSchedule): OwnerReference | undefined {
  if (spec.deletionPolicy === 'Orphan') return undefined
  const { name, uid = '' } = metadata
  return { apiVersion: apiVersionOf(taskSchedules), kind: taskSchedules.kind, name, uid, controller: true }
}
