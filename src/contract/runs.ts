/**
 * The names of slots, runs, their jobs and their records in a broker. They are derived from installation, namespace and
 * name, so that a restored backup, or the second cluster of a blue/green pair, continues where the first one stopped.
 * Only the jobs of a run's nodes contain a part of a UID: the token of the object that started the run, which its log
 * records.
 */

/** The time at which a schedule is due: whole seconds since 1970, UTC. */
export type Slot = number

/** Valid names of an installation: a DNS label, so that it fits into every name below. */
export const installationPattern = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/u

/** The full name of a schedule in a broker: `default/assistant/backup-user-data`. */
export function ledgerName(installation: string, namespace: string, name: string): string {
  return `${installation}/${namespace}/${name}`
}

/** The name of the dispatch lease of a namespace: `default/assistant`. */
export function dispatcherName(installation: string, namespace: string): string {
  return `${installation}/${namespace}`
}

/** A slot as it appears in ids: `20261129T000000Z`. */
export function slotName(slot: Slot): string {
  return slotTime(slot).replaceAll(/[-:]/gu, '')
}

/** A slot in RFC 3339: `2026-11-29T00:00:00Z`; the value of `$(slot)`. */
export function slotTime(slot: Slot): string {
  return new Date(slot * 1000).toISOString().replace('.000Z', 'Z')
}

/** The id of a slot's job, and of the small job that waits for its end: `tm/default/assistant/backup-user-data/20261129T000000Z`. */
export function slotJobId(ledger: string, slot: Slot): string {
  return `tm/${ledger}/${slotName(slot)}`
}

/** The id of the CronJob of a schedule, which its Jobs carry too: `tm/default/assistant/backup-user-data/cron-job`. */
export function cronJobId(ledger: string): string {
  return `tm/${ledger}/cron-job`
}

export function isCronJobId(id: string): boolean {
  return id.startsWith('tm/') && id.endsWith('/cron-job')
}

/** Returns the id that BullMQ gives to the job that a job scheduler makes for a time (Unix ms). */
export function schedulerJobId(scheduler: string, atMs: number): string {
  return `repeat:${scheduler}:${atMs}`
}

/** What the ids of all jobs begin with that are placed for the slots and nodes of one namespace: `tm/default/assistant/`. */
export function jobIdsOf(dispatcher: string): string {
  return `tm/${dispatcher}/`
}

/** Returns the ledger and slot of an id; undefined if it is not the id of a slot. */
export function parseSlotJobId(id: string): { readonly ledger: string; readonly slot: Slot } | undefined {
  const [, ledger = '', date = '', time = ''] = /^tm\/(.+)\/(\d{8})T(\d{6})Z$/u.exec(id) ?? []
  const slot = Date.parse(`${date.replace(/(\d{4})(\d\d)/u, '$1-$2-')}T${time.replace(/(\d\d)(\d\d)/u, '$1:$2:')}Z`) / 1000
  return Number.isNaN(slot) ? undefined : { ledger, slot }
}

/** The full name of a run in a broker: `default/assistant/run/x7k2p`. No ledger has such a name. */
export function runName(installation: string, namespace: string, name: string): string {
  return `${installation}/${namespace}/run/${name}`
}

/**
 * The id of a node's job, and of the small job that waits for its end: `tm/default/assistant/run/x7k2p/1f0c9b2e/fetch`.
 * The token belongs to the object that started the run, so that a run that was deleted and recreated under its name
 * never meets the jobs of the old one.
 */
export function nodeJobId(run: string, token: string, node: string): string {
  return `tm/${run}/${token}/${node}`
}

/** Longest name of a Job, whose pods carry it as a label. */
const maxJobName = 63

/**
 * The name of the Kubernetes Job of a node or slot: `x7k2p-fetch-1a2b3c4d`. `parts` are for readers and are cut if they
 * are too long; `hash`, of the id, makes the name unique.
 */
export function jobName(parts: readonly string[], hash: string): string {
  const room = Math.floor((maxJobName - hash.length) / parts.length) - 1
  // The first part can use the room that the others leave.
  const spare = parts.slice(1).reduce((sum, part) => sum + Math.max(0, room - part.length), 0)
  const cut = parts.map((part, index) => part.slice(0, index === 0 ? room + spare : room).replaceAll('.', '-'))
  return [...cut, hash].join('-')
}

/**
 * The name in a broker of the TaskQueue that configures a queue: `default/assistant/queue/email`. No ledger or run has
 * such a name.
 */
export function queueOwner(installation: string, namespace: string, name: string): string {
  return `${installation}/${namespace}/queue/${name}`
}

/** Returns the installation in the name of a ledger, a run, a dispatch lease or the owner of a queue's settings. */
export function installationOf(owner: string): string {
  return owner.slice(0, owner.indexOf('/'))
}

/** Returns the object to which a ledger, a run or the settings of a queue belong, by its name. */
export function parseOwner(owner: string): {
  readonly kind: Exclude<OwnerMarker['kind'], 'Namespace'>
  readonly namespace: string
  readonly name: string
} {
  const [, namespace = '', first = '', name] = owner.split('/')
  if (name === undefined) return { kind: 'TaskSchedule', namespace, name: first }
  return { kind: first === 'queue' ? 'TaskQueue' : 'TaskExecution', namespace, name }
}

/**
 * The queue in which the ends of tracked jobs of one namespace arrive. It starts with a dot, which no user's queue can,
 * and only the dispatching operator consumes it.
 */
export function doneQueue(installation: string, namespace: string): string {
  return `.taskmill-done/${installation}/${namespace}`
}

/** The data of a job in the done queue: whose end it carries. */
export type DoneData =
  | { readonly v: 1; readonly ledger: string; readonly slot: Slot }
  | { readonly v: 1; readonly run: string; readonly token: string; readonly node: string }

/**
 * Who last wrote a ledger, a run's log or the settings of a queue, or claimed a dispatch lease. Kept in one hash per installation, so that orphaned
 * data of deleted namespaces can be found.
 */
export type OwnerMarker = {
  readonly v: 1
  /** UID of the namespace kube-system of the cluster that wrote it. */
  readonly cluster: string
  /** `Namespace`: the dispatch lease of a namespace, which TaskBrokers of that namespace ask for. */
  readonly kind: 'TaskSchedule' | 'TaskExecution' | 'TaskQueue' | 'Namespace'
  readonly namespace: string
  readonly name: string
  readonly deletionPolicy: 'Delete' | 'Orphan'
  /** Of a TaskQueue: the queue that it is about. */
  readonly queue?: string
  /** Of a run: when it ended, on the broker's clock, until its log is archived. */
  readonly endedAtMs?: number
}

/**
 * The subjects whose ends are counted per minute: all tracked jobs of a queue, the runs of a schedule, the runs of a
 * graph.
 */
export type SubjectKind = 'Queue' | 'TaskSchedule' | 'TaskDependency'

/**
 * One end to count. A timed-out run counts as failed; cancelled, skipped and omitted runs are not counted. For a
 * schedule, missed slots count too, except those missed because of a suspension or an edit.
 */
export type CountIncrement = {
  readonly subjectKind: SubjectKind
  readonly subject: string
  readonly outcome: 'Succeeded' | 'Failed' | 'Missed'
  /** How many of them; 1 by default. */
  readonly count?: number
}
