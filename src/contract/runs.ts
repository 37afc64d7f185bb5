/**
 * The names under which slots and runs, their jobs, and what is stored about them are known in a broker. They are derived from installation,
 * namespace and name: a restored backup, or the second cluster of a blue/green pair, continues where the first one was. Only the jobs of a
 * run's nodes carry something of a UID, the token of the object that began it, which its log remembers.
 */

/** A moment at which a schedule is due: whole seconds since 1970, UTC. */
export type Slot = number

/** What an installation may be called: a DNS label, so that it can stand in every name below. */
export const installationPattern = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/u

/** The whole name of a schedule in a broker: `default/assistant/backup-user-data`. */
export function ledgerName(installation: string, namespace: string, name: string): string {
  return `${installation}/${namespace}/${name}`
}

/** Whose turn it is to dispatch in a namespace: `default/assistant`. */
export function dispatcherName(installation: string, namespace: string): string {
  return `${installation}/${namespace}`
}

/** A slot as people read it in ids: `20261129T000000Z`. */
export function slotName(slot: Slot): string {
  return slotTime(slot).replaceAll(/[-:]/gu, '')
}

/** A slot in RFC 3339: `2026-11-29T00:00:00Z`; what `$(slot)` stands for. */
export function slotTime(slot: Slot): string {
  return new Date(slot * 1000).toISOString().replace('.000Z', 'Z')
}

/** The id of a slot's job, and of the small job that waits for its end: `tm/default/assistant/backup-user-data/20261129T000000Z`. */
export function slotJobId(ledger: string, slot: Slot): string {
  return `tm/${ledger}/${slotName(slot)}`
}

/** Of which slot of which ledger an id tells. */
export function parseSlotJobId(id: string): { readonly ledger: string; readonly slot: Slot } | undefined {
  const [, ledger = '', date = '', time = ''] = /^tm\/(.+)\/(\d{8})T(\d{6})Z$/u.exec(id) ?? []
  const slot = Date.parse(`${date.replace(/(\d{4})(\d\d)/u, '$1-$2-')}T${time.replace(/(\d\d)(\d\d)/u, '$1:$2:')}Z`) / 1000
  return Number.isNaN(slot) ? undefined : { ledger, slot }
}

/** The whole name of a run in a broker: `default/assistant/run/x7k2p`. No ledger can have it. */
export function runName(installation: string, namespace: string, name: string): string {
  return `${installation}/${namespace}/run/${name}`
}

/**
 * The id of a node's job, and of the small job that waits for its end: `tm/default/assistant/run/x7k2p/1f0c9b2e/fetch`. The token is that of
 * the object which began the run, so that a run that was deleted and created again under its name never meets the jobs of the former one.
 */
export function nodeJobId(run: string, token: string, node: string): string {
  return `tm/${run}/${token}/${node}`
}

/** Longest name of a Job, whose pods carry it as a label. */
const maxJobName = 63

/**
 * The name of the Kubernetes Job of a node or slot: `x7k2p-fetch-1a2b3c4d`. `parts` are for people and cut where they are too long;
 * `hash`, of the id, makes it the Job's own.
 */
export function jobName(parts: readonly string[], hash: string): string {
  const room = Math.floor((maxJobName - hash.length) / parts.length) - 1
  // What one part leaves, the first may have.
  const spare = parts.slice(1).reduce((sum, part) => sum + Math.max(0, room - part.length), 0)
  const cut = parts.map((part, index) => part.slice(0, index === 0 ? room + spare : room).replaceAll('.', '-'))
  return [...cut, hash].join('-')
}

/** Who decides about the settings of a queue, as it is known in a broker: `default/assistant/queue/email`. No ledger or run can have this name. */
export function queueOwner(installation: string, namespace: string, name: string): string {
  return `${installation}/${namespace}/queue/${name}`
}

/** Of which object a ledger, a run or what was applied to a queue is, by its name. */
export function parseOwner(owner: string): { readonly kind: OwnerMarker['kind']; readonly namespace: string; readonly name: string } {
  const [, namespace = '', first = '', name] = owner.split('/')
  if (name === undefined) return { kind: 'TaskSchedule', namespace, name: first }
  return { kind: first === 'queue' ? 'TaskQueue' : 'TaskExecution', namespace, name }
}

/**
 * The queue in which the ends of tracked jobs of one namespace arrive. It starts with a dot, which no queue of people may, and nobody
 * works on it but the operator that dispatches.
 */
export function doneQueue(installation: string, namespace: string): string {
  return `.taskmill-done/${installation}/${namespace}`
}

/** What the job in the done queue carries as its data: whose end it tells. */
export type DoneData =
  | { readonly v: 1; readonly ledger: string; readonly slot: Slot }
  | { readonly v: 1; readonly run: string; readonly token: string; readonly node: string }

/** Who wrote a ledger, a run's log or the settings of a queue last, kept in one hash per installation, so that what a deleted namespace left behind can be found. */
export type OwnerMarker = {
  readonly v: 1
  /** UID of the namespace kube-system of the cluster that wrote it. */
  readonly cluster: string
  readonly kind: 'TaskSchedule' | 'TaskExecution' | 'TaskQueue'
  readonly namespace: string
  readonly name: string
  readonly deletionPolicy: 'Delete' | 'Orphan'
  /** Of a TaskQueue: the queue that it is about. */
  readonly queue?: string
}

/** Of what ends are counted by the minute: of all tracked jobs of a queue, of a schedule's runs, of the runs of a graph. */
export type SubjectKind = 'Queue' | 'TaskSchedule' | 'TaskDependency'

/**
 * One end, as it is counted. A run that timed out has failed; one that was cancelled, skipped or omitted is not counted. Of a schedule also
 * the slots that were missed, except by what people did to it: a suspension, a change.
 */
export type CountIncrement = {
  readonly subjectKind: SubjectKind
  readonly subject: string
  readonly outcome: 'Succeeded' | 'Failed' | 'Missed'
  /** How many of them; 1 by default. */
  readonly count?: number
}
