/**
 * Finds what no object shows by itself: references to missing objects, and duplicate names.
 *
 * A repository rarely contains all objects of a cluster, and often contains the same objects for several clusters. So
 * unless the set is declared complete, a missing name is only a warning, and only if other objects of its kind are
 * beside the object (in its namespace, or in its folder if no namespace is written). The same name twice is an error
 * only within a folder.
 */
import { posix } from 'node:path'
import { type Kind, type KubeObject, kinds, type JsonSchema } from '../api/index.ts'
import { suggestName } from '../errors/index.ts'
import { isObject, type Written } from './documents.ts'
import { slashed } from './kustomizations.ts'
import type { Severity } from './report.ts'

export type Known = {
  readonly kind: Kind
  readonly written: Written
  /** Missing if the API server is to generate it. */
  readonly name: string | undefined
  /** With its defaults; it may have mistakes. */
  readonly spec: Readonly<Record<string, unknown>>
  /** The whole object with its defaults; undefined if it has mistakes. */
  readonly object: KubeObject | undefined
  /** The namespace that the object itself or its kustomization.yaml says. */
  readonly namespace: string | undefined
}

/** What is wrong between objects, told at a field of one of them. */
export type Noticed = { readonly known: Known; readonly severity: Severity; readonly field: string; readonly message: string }

type Options = { readonly isComplete: boolean }

/** Something that has a name: an object, or a queue that a pool consumes. */
type Named = { readonly name: string; readonly of: Known }

export function findReferenceFaults(all: readonly Known[], options: Options): readonly Noticed[] {
  return [
    ...findDuplicates(all, options),
    ...findQueueConflicts(all, options),
    ...findGroupConflicts(all, options),
    ...findMissing(all, options),
  ]
}

function findDuplicates(all: readonly Known[], { isComplete }: Options): readonly Noticed[] {
  const firsts = new Map<string, Known>()
  return all.flatMap((known) => {
    const { kind, written, name, namespace } = known
    if (name === undefined) return []
    const key = JSON.stringify([kind.kind, namespace, name, isComplete ? '' : folderOf(written)])
    const first = firsts.get(key)
    if (first === undefined) {
      firsts.set(key, known)
      return []
    }
    if (isSameText(known, first)) return []
    const where = `${first.written.source.path}:${first.written.at('metadata.name').line}`
    const message = `${kind.kind} "${name}"${namespace === undefined ? '' : ` in namespace ${namespace}`} already exists at ${where}: the later one would replace it`
    return [{ known, severity: 'error' as const, field: 'metadata.name', message }]
  })
}

/** Links can lead to one file from several folders. */
function isSameText({ written: { source, at } }: Known, { written: first }: Known): boolean {
  if (source.file === undefined || source.file !== first.source.file || source.path === first.source.path) return false
  return at('metadata.name').line === first.at('metadata.name').line
}

/** In a cluster, the older of two TaskQueues for one queue takes effect. Manifests do not say which one that is. */
function findQueueConflicts(all: readonly Known[], { isComplete }: Options): readonly Noticed[] {
  const firsts = new Map<string, Known>()
  return all.flatMap((known) => {
    const { queueName } = known.spec
    if (known.kind.kind !== 'TaskQueue' || typeof queueName !== 'string') return []
    const key = JSON.stringify([known.namespace, brokerOf(known), queueName, isComplete ? '' : folderOf(known.written)])
    const first = firsts.get(key)
    if (first === undefined) {
      firsts.set(key, known)
      return []
    }
    // The same object twice is reported as a duplicate.
    if (first.name === known.name) return []
    const message = `TaskQueue "${first.name ?? ''}" also configures queue "${queueName}"; only the older one takes effect. Next: merge them into one`
    return [{ known, severity: 'error' as const, field: 'spec.queueName', message }]
  })
}

/** A concurrency group is what its schedules say of it, all of them the same. */
function findGroupConflicts(all: readonly Known[], { isComplete }: Options): readonly Noticed[] {
  const seen: Grouped[] = []
  return all.flatMap((known) => {
    const own = groupOf(known)
    if (own === undefined) return []
    const others = seen.filter(
      (each) => each.name === own.name && canShareNamespace(known, each.known) && (isComplete || isBeside(known, each.known)),
    )
    seen.push(own)
    const elsewhere = others.find((each) => brokerOf(each.known) !== brokerOf(known))
    const other = others.find((each) => brokerOf(each.known) === brokerOf(known) && each.limit !== own.limit)
    return [
      ...(other === undefined ? [] : [differentLimit(own, other)]),
      ...(elsewhere === undefined ? [] : [differentBroker(own, elsewhere)]),
    ]
  })
}

type Grouped = { readonly known: Known; readonly name: string; readonly limit: number }

function groupOf(known: Known): Grouped | undefined {
  const group = known.kind.kind === 'TaskSchedule' ? known.spec['concurrencyGroup'] : undefined
  if (!isObject(group)) return undefined
  const { name, limit } = group
  return typeof name === 'string' && typeof limit === 'number' ? { known, name, limit } : undefined
}

function differentLimit({ known, name, limit }: Grouped, other: Grouped): Noticed {
  const message =
    `TaskSchedule "${other.known.name ?? ''}" has limit ${other.limit} for the group "${name}", and the lowest, ${Math.min(limit, other.limit)}, ` +
    'counts for all its schedules. Next: write the same limit in all of them'
  return { known, severity: 'warning', field: 'spec.concurrencyGroup.limit', message }
}

function differentBroker({ known, name }: Grouped, other: Grouped): Noticed {
  const message =
    `TaskSchedule "${other.known.name ?? ''}" is in the group "${name}" at TaskBroker "${brokerOf(other.known)}", this one at "${brokerOf(known)}": ` +
    'each TaskBroker counts for itself. Next: use one TaskBroker, or give the groups two names'
  return { known, severity: 'warning', field: 'spec.concurrencyGroup.name', message }
}

function findMissing(all: readonly Known[], { isComplete }: Options): readonly Noticed[] {
  const byKind = namedByKind(all)
  return all.flatMap((known) =>
    [...usesOf(known.kind, known.spec), ...impliedUses(known)].flatMap((use) => {
      const candidates = byKind
        .get(use.kind)
        ?.filter(({ of }) => canShareNamespace(known, of) && (use.kind !== 'Queue' || brokerOf(of) === brokerOf(known)))
      if (!byKind.has(use.kind) || candidates === undefined || candidates.some(({ name }) => name === use.name)) return []
      const beside = candidates.filter(({ of }) => isBeside(known, of))
      if (!isComplete && beside.length === 0) return []
      const severity = isComplete && use.kind !== 'Queue' ? ('error' as const) : ('warning' as const)
      return [
        {
          known,
          severity,
          field: use.field,
          message: wordsFor(
            use,
            beside.map(({ name }) => name),
          ),
        },
      ]
    }),
  )
}

function wordsFor({ kind, name }: Use, others: readonly string[]): string {
  const meant = suggestName(name, others)
  if (kind === 'Queue') return `no WorkerPool here consumes queue "${name}"${meant === '' ? '; fine if other workers do' : meant}`
  return `${kind} "${name}" is not among these manifests${meant === '' ? '; create it, or correct the name' : meant}`
}

/** Contains every kind, also those without an object. */
function namedByKind(all: readonly Known[]): ReadonlyMap<string, readonly Named[]> {
  const named = new Map<string, Named[]>([...kinds.map(({ kind }) => [kind, []] as [string, Named[]]), ['Queue', []]])
  for (const of of all) {
    if (of.name !== undefined) named.get(of.kind.kind)?.push({ name: of.name, of })
    if (of.kind.kind === 'WorkerPool') for (const name of queuesOf(of)) named.get('Queue')?.push({ name, of })
  }
  return named
}

export function queuesOf({ spec: { queues } }: Known): readonly string[] {
  return Array.isArray(queues) ? queues.flatMap(nameIn) : []
}

/** A task without a brokerRef goes to the TaskBroker named default, whatever default the kind's schema declares. */
export function brokerOf({ spec: { brokerRef } }: Known): string {
  return nameIn(brokerRef)[0] ?? 'default'
}

function nameIn(value: unknown): readonly string[] {
  return isObject(value) && typeof value['name'] === 'string' ? [value['name']] : []
}

/** An object without a namespace may be meant for any. */
export function canShareNamespace(a: Pick<Known, 'namespace'>, b: Pick<Known, 'namespace'>): boolean {
  return a.namespace === undefined || b.namespace === undefined || a.namespace === b.namespace
}

/** Whether two objects belong together: same namespace, or same folder. */
export function isBeside(a: Pick<Known, 'namespace' | 'written'>, b: Pick<Known, 'namespace' | 'written'>): boolean {
  return (a.namespace !== undefined && a.namespace === b.namespace) || folderOf(a.written) === folderOf(b.written)
}

function folderOf({ source }: Written): string {
  return posix.dirname(slashed(source.path))
}

/** The references of an object to others. They are found by field names in the schema, so that no kind is forgotten. */

const kindOfReference: ReadonlyMap<string, string> = new Map(
  kinds.flatMap(({ kind, referredBy = [] }) => referredBy.map((field) => [field, kind] as const)),
)

/** `field` is where the name is, or would be, written. */
type Use = { readonly kind: string; readonly name: string; readonly field: string }

/** Returns the referenced objects and, as kind `Queue`, the queues of its tasks. */
export function usesOf({ spec }: Kind, value: unknown): readonly Use[] {
  return usesIn(spec.json, value, 'spec')
}

function usesIn(schema: JsonSchema, value: unknown, path: string): readonly Use[] {
  if (Array.isArray(value)) {
    const { items } = schema
    return items === undefined ? [] : value.flatMap((item, index) => usesIn(items, item, `${path}[${index}]`))
  }
  if (!isObject(value)) return []
  return Object.entries(schema.properties ?? {}).flatMap(([field, child]) => {
    const own = value[field]
    return [...useBy(field, own, `${path}.${field}`), ...usesIn(child, own, `${path}.${field}`)]
  })
}

/** A run of its own goes to the TaskBroker named default, without a default in the schema that would say so. */
function impliedUses({ kind, spec }: Known): readonly Use[] {
  if (kind.kind !== 'TaskExecution' || spec['brokerRef'] !== undefined) return []
  if (spec['task'] === undefined && spec['job'] === undefined) return []
  return [{ kind: 'TaskBroker', name: 'default', field: 'spec.brokerRef.name' }]
}

function useBy(field: string, own: unknown, path: string): readonly Use[] {
  if ((field === 'queue' || field === 'queueName') && typeof own === 'string') return [{ kind: 'Queue', name: own, field: path }]
  const kind = kindOfReference.get(field)
  if (kind !== undefined) {
    const named = Array.isArray(own) ? own.map((each: unknown, index) => ({ each, at: `${path}[${index}]` })) : [{ each: own, at: path }]
    return named.flatMap(({ each, at }) => nameIn(each).map((name) => ({ kind, name, field: `${at}.name` })))
  }
  if (field === 'target' && isObject(own) && typeof own['kind'] === 'string') {
    const target = own['kind']
    return nameIn(own).map((name) => ({ kind: target, name, field: `${path}.name` }))
  }
  return []
}

export function ofKind(all: readonly Known[], kind: string): readonly Known[] {
  return all.filter((known) => known.kind.kind === kind)
}
