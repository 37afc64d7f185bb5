/** Namespaces that are being deleted, as the API server's answers show: what is written into them is refused, or seen by nobody. */
import type { Event, KubeObject, Resource } from '../api/index.ts'
import type { Clock } from '../clock/index.ts'
import { classifyRefusal } from '../errors/index.ts'
import type { KubeClient } from './client.ts'
import { microTime } from './notation.ts'

/** Where an object is, and since when. */
export type Place = { readonly namespace?: string | undefined; readonly creationTimestamp?: string | undefined }

/**
 * Guarantees: after the API server has refused any write because its namespace is being deleted or gone, that namespace counts as closing for
 * 60 s, or until an object in it is seen that was created since. An object that was gone when it was written to makes the API server be asked
 * about its namespace, by the dry run of an Event, at most once in 10 s: objects are deleted one by one too.
 * Does not: read namespaces; the operator may not.
 */
export type ClosingNamespaces = {
  /** The same client, whose refused writes are noted. */
  readonly client: KubeClient
  /** Whether the namespace of an object is being deleted. */
  isClosing(place: Place): boolean
  /** An object is gone that the cache still shows, perhaps with its namespace. */
  noteGone(place: Place): void
}

export const events: Resource<Event> = { group: 'events.k8s.io', version: 'v1', kind: 'Event', plural: 'events', namespaced: true }

const closingMs = 60_000
const askAgainMs = 10_000
const writes = ['create', 'update', 'patch', 'apply', 'applyStatus'] as const

type State = {
  readonly client: KubeClient
  readonly clock: Clock
  /** Since when and until when each namespace counts as being deleted. */
  readonly closing: Map<string, { readonly sinceMs: number; readonly untilMs: number }>
  /** When the API server was asked about a namespace. */
  readonly askedAtMs: Map<string, number>
}

export function createClosingNamespaces({ client: own, clock }: { readonly client: KubeClient; readonly clock: Clock }): ClosingNamespaces {
  const state: State = { client: own, clock, closing: new Map(), askedAtMs: new Map() }
  return {
    client: { ...own, ...noted(state) },
    isClosing: (place) => isClosing(state, place),
    noteGone(place) {
      const { namespace } = place
      if (namespace !== undefined && !isClosing(state, place)) void ask(state, namespace)
    },
  }
}

type Write = (resource: Resource<KubeObject>, object: KubeObject, ...rest: readonly unknown[]) => Promise<unknown>

function noted(state: State): Pick<KubeClient, (typeof writes)[number] | 'patchScale'> {
  const { client } = state
  const note = (namespace: string | undefined) => (error: unknown) => {
    if (namespace !== undefined && classifyRefusal(error).kind === 'NamespaceGone') close(state, namespace)
    throw error
  }
  const noting = writes.map((name) => {
    const write = client[name] as unknown as Write
    const andNote: Write = (resource, object, ...rest) => write(resource, object, ...rest).catch(note(object.metadata.namespace))
    return [name, andNote] as const
  })
  return {
    ...(Object.fromEntries(noting) as unknown as Pick<KubeClient, (typeof writes)[number]>),
    patchScale: (resource, namespace, ...rest) => client.patchScale(resource, namespace, ...rest).catch(note(namespace)),
  }
}

function isClosing({ clock, closing }: State, { namespace = 'default', creationTimestamp = '' }: Place): boolean {
  const known = closing.get(namespace)
  if (known === undefined) return false
  // Nothing can be created in a namespace that is being deleted: this is a new one of the same name.
  const createdAtMs = Date.parse(creationTimestamp)
  if (createdAtMs > known.sinceMs || known.untilMs <= clock.monotonicNow()) {
    closing.delete(namespace)
    return false
  }
  // The API server writes whole seconds, so an object of the same second may be of the new one. If it is not, its first write is refused.
  return !(createdAtMs >= Math.floor(known.sinceMs / 1000) * 1000)
}

function close({ clock, closing }: State, namespace: string): void {
  const nowMs = clock.monotonicNow()
  for (const [name, { untilMs }] of closing) if (untilMs <= nowMs) closing.delete(name)
  closing.set(namespace, { sinceMs: clock.now(), untilMs: nowMs + closingMs })
}

/** The answer counts, and nothing is stored: creating is what a namespace that is being deleted refuses. */
async function ask(state: State, namespace: string): Promise<void> {
  const { client, clock, askedAtMs } = state
  const nowMs = clock.monotonicNow()
  for (const [name, atMs] of askedAtMs) if (nowMs - atMs >= askAgainMs) askedAtMs.delete(name)
  if (askedAtMs.has(namespace)) return
  askedAtMs.set(namespace, nowMs)
  const trial = {
    metadata: { namespace, name: 'taskmill-trial' },
    eventTime: microTime(clock.now()),
    type: 'Normal',
    reason: 'Trial',
    action: 'Trial',
    note: 'asks whether the namespace is being deleted',
    reportingController: 'taskmill.dev/operator',
    reportingInstance: 'taskmill',
    regarding: { apiVersion: 'v1', kind: 'Namespace', name: namespace, namespace },
  } as const
  try {
    await client.create<Event>(events, trial, { fieldManager: 'taskmill-events', dryRun: true })
  } catch (error) {
    if (classifyRefusal(error).kind === 'NamespaceGone') close(state, namespace)
  }
}
