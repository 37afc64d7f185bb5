import type { SubjectKind } from './runs.ts'

/**
 * Valid names of queues: no colon (BullMQ's separator), no leading dot (Taskmill's own keys), no braces (hash tags of a
 * Cluster), no comma or white space (the list in the worker's environment), at most 128 characters.
 */
export const queueNamePattern = /^(?!\.)[^:,{}\s\p{Cc}]{1,128}$/u

/** The parts of a BullMQ queue that Taskmill reads; each is a key of its own. */
export type QueuePart =
  'wait' | 'active' | 'prioritized' | 'delayed' | 'paused' | 'meta' | 'events' | 'marker' | 'stalled' | 'completed' | 'failed'

/** The keys of one queue. `base` ends with the separator, so that `base + jobId` is the key of a job. */
export interface QueueKeys extends Readonly<Record<QueuePart, string>> {
  readonly base: string
}

/** Returns the key of one part of a queue; with an empty part, the common base of all its keys. */
export function queueKey(prefix: string, queue: string, part: QueuePart | ''): string {
  return `${prefix}:${queue}:${part}`
}

/** Returns all keys of a queue that Taskmill reads. BullMQ writes them; the layout is BullMQ's. */
export function queueKeys(prefix: string, queue: string): QueueKeys {
  const base = queueKey(prefix, queue, '')
  return {
    base,
    wait: `${base}wait`,
    active: `${base}active`,
    prioritized: `${base}prioritized`,
    delayed: `${base}delayed`,
    paused: `${base}paused`,
    meta: `${base}meta`,
    events: `${base}events`,
    marker: `${base}marker`,
    stalled: `${base}stalled`,
    completed: `${base}completed`,
    failed: `${base}failed`,
  }
}

/**
 * Returns one of Taskmill's own keys. It is under the broker's prefix, so that one ACL pattern covers both. It starts
 * with a dot, which no queue name can, so that it is never a key of a queue.
 */
export function taskmillKey(prefix: string, ...parts: readonly string[]): string {
  return `${prefix}:.taskmill:${parts.join(':')}`
}

/** The ledger of one schedule: a hash with `revision` and `document`. */
export function ledgerKey(prefix: string, ledger: string): string {
  return taskmillKey(prefix, 'ledger', ledger)
}

/** The dispatch lease of one namespace of an installation: a hash with `epoch`, `holder`, `by` and `aliveAtMs`. */
export function dispatcherKey(prefix: string, dispatcher: string): string {
  return taskmillKey(prefix, 'dispatcher', dispatcher)
}

/** The log of one run: a list of JSON entries, the oldest first. */
export function runKey(prefix: string, run: string): string {
  return taskmillKey(prefix, 'run', run)
}

/**
 * Ends of one subject within one hour (whole hours since 1970): a hash from `<minute of the
 * hour>:<Succeeded|Failed|Missed>` to a count. Expires 26 hours after its last increment.
 */
export function countsKey(prefix: string, place: CountsPlace, hour: number | ''): string {
  const { installation, namespace, subjectKind, subject } = place
  return taskmillKey(prefix, 'counts', `${installation}/${namespace}/${subjectKind}/${subject}`, String(hour))
}

export type CountsPlace = {
  readonly installation: string
  readonly namespace: string
  readonly subjectKind: SubjectKind
  readonly subject: string
}

/**
 * The settings that Taskmill applied to one queue, and for which TaskQueue: a hash with `v`, `owner`, `createdAtMs`,
 * `paused`, `concurrency` and `found`.
 */
export function queueSettingsKey(prefix: string, queue: string): string {
  return taskmillKey(prefix, 'queue', queue)
}

/**
 * The job schedulers in one queue that belong to schedules: a hash from the id of the scheduler to the name of the ledger, a space, and the digest of
 * what Taskmill has written. It stays when somebody edits or removes the scheduler.
 */
export function schedulersKey(prefix: string, queue: string): string {
  return taskmillKey(prefix, 'schedulers', queue)
}

/**
 * The queues that one namespace has used: a sorted set of their bases by when a job was last placed in them, or settings applied (Unix ms).
 * `space` is `dispatcherName(installation, namespace)`.
 */
export function queuesKey(prefix: string, space: string): string {
  return taskmillKey(prefix, 'queues', space)
}

/**
 * The subjects of one namespace of which ends were counted: a sorted set of the bases of their counts by the minute of the last end (whole
 * minutes since 1970). Expires 26 hours after it, as the counts do.
 */
export function countedKey(prefix: string, space: string): string {
  return taskmillKey(prefix, 'counted', space)
}

/**
 * The active runs of one namespace's schedules that are in a concurrency group: a hash from the ledger's name to `<runs> <group>`. A schedule
 * without an active run has no field. One key for all groups, so that a script that is given it can declare every key that it writes.
 */
export function groupsKey(prefix: string, space: string): string {
  return taskmillKey(prefix, 'groups', space)
}

/** The owner markers of one installation: a hash from the name of the ledger, run, queue or dispatch lease to an `OwnerMarker`. */
export function ownersKey(prefix: string, installation: string): string {
  return taskmillKey(prefix, 'owners', installation)
}
