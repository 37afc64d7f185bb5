/**
 * What no object shows alone: names that nobody has, and names that two have.
 *
 * A repository seldom holds all that meets in a cluster, and often holds the same objects for several clusters. Unless the set is said to
 * be complete, a name that is missing is therefore a warning only where others of its kind are beside the object (in its namespace, or in its
 * folder where no namespace is written), and the same name is an error only within a folder.
 */
import { posix } from 'node:path'
import { type Kind, type KubeObject, kinds } from '../api/index.ts'
import { isObject, type Written } from './documents.ts'
import type { Severity } from './finding.ts'
import { didYouMean } from '../errors/index.ts'
import { type Use, usesOf } from './uses.ts'

export type Known = {
  readonly kind: Kind
  readonly written: Written
  /** Missing where the API server is to make one up. */
  readonly name: string | undefined
  /** With its defaults, and perhaps with mistakes. */
  readonly spec: Readonly<Record<string, unknown>>
  /** The whole of it with its defaults; undefined where something is wrong with it. */
  readonly object: KubeObject | undefined
  /** Where it will be, as far as it says itself or its kustomization.yaml does. */
  readonly namespace: string | undefined
}

export type Noticed = { readonly known: Known; readonly severity: Severity; readonly field: string; readonly message: string }

type Options = { readonly isComplete: boolean }

/** One thing that has a name: an object, or a queue with a pool that consumes it. */
type Named = { readonly name: string; readonly of: Known }

export function noticeNeighbours(all: readonly Known[], options: Options): readonly Noticed[] {
  return [...duplicates(all, options), ...conflicts(all, options), ...missing(all, options)]
}

function duplicates(all: readonly Known[], { isComplete }: Options): readonly Noticed[] {
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
    const where = `${first.written.source.path}:${first.written.at('metadata.name').line}`
    const message = `${kind.kind} "${name}"${namespace === undefined ? '' : ` in namespace ${namespace}`} is there already, at ${where}: the later one would replace it`
    return [{ known, severity: 'error' as const, field: 'metadata.name', message }]
  })
}

/** Of two TaskQueues for one queue the older one holds in a cluster; which one that is, no manifest says. */
function conflicts(all: readonly Known[], { isComplete }: Options): readonly Noticed[] {
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
    // The same object twice is said already.
    if (first.name === known.name) return []
    const message = `TaskQueue "${first.name ?? ''}" is for queue "${queueName}" too; only the older of both holds. Next: make one of them`
    return [{ known, severity: 'error' as const, field: 'spec.queueName', message }]
  })
}

function missing(all: readonly Known[], { isComplete }: Options): readonly Noticed[] {
  const byKind = namedByKind(all)
  return all.flatMap((known) =>
    usesOf(known.kind, known.spec).flatMap((use) => {
      const candidates = byKind
        .get(use.kind)
        ?.filter(({ of }) => couldMeet(known, of) && (use.kind !== 'Queue' || brokerOf(of) === brokerOf(known)))
      if (!byKind.has(use.kind) || candidates === undefined || candidates.some(({ name }) => name === use.name)) return []
      const beside = candidates.filter(({ of }) => areBeside(known, of))
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
  const meant = didYouMean(name, others)
  if (kind === 'Queue') return `no WorkerPool here consumes queue "${name}"${meant === '' ? '; fine where other workers do' : meant}`
  return `${kind} "${name}" is not among these manifests${meant === '' ? '; create it, or correct the name' : meant}`
}

/** Every kind is there, also one without an object. */
function namedByKind(all: readonly Known[]): ReadonlyMap<string, readonly Named[]> {
  const named = new Map<string, Named[]>([...kinds.map(({ kind }) => [kind, []] as [string, Named[]]), ['Queue', []]])
  for (const of of all) {
    if (of.name !== undefined) named.get(of.kind.kind)?.push({ name: of.name, of })
    if (of.kind.kind === 'WorkerPool') for (const name of queuesOf(of)) named.get('Queue')?.push({ name, of })
  }
  return named
}

function queuesOf({ spec: { queues } }: Known): readonly string[] {
  return Array.isArray(queues) ? queues.flatMap(nameIn) : []
}

function brokerOf({ spec: { brokerRef } }: Known): string | undefined {
  return nameIn(brokerRef)[0]
}

function nameIn(value: unknown): readonly string[] {
  return isObject(value) && typeof value['name'] === 'string' ? [value['name']] : []
}

/** Whoever writes no namespace may mean any. */
export function couldMeet(a: Known, b: Known): boolean {
  return a.namespace === undefined || b.namespace === undefined || a.namespace === b.namespace
}

/** Of one set: in the same namespace, or in the same folder. */
export function areBeside(a: Known, b: Known): boolean {
  return (a.namespace !== undefined && a.namespace === b.namespace) || folderOf(a.written) === folderOf(b.written)
}

function folderOf({ source }: Written): string {
  return posix.dirname(source.path)
}
