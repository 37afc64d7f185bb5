import type { Event, KubeObject, Resource } from '../api/index.ts'
import type { Clock, TimerHandle } from '../clock/index.ts'
import { classifyRefusal, describeRefusal, type Refusal } from '../errors/index.ts'
import type { Logger } from '../observability/index.ts'
import type { KubeClient } from './client.ts'
import { microTime } from './notation.ts'

/** What happened, in one sentence (`note`), with a `reason` from a registry and the `action` that was in progress. */
export type EventInput = { readonly type: 'Normal' | 'Warning'; readonly reason: string; readonly action: string; readonly note: string }

/** Where an object is, and since when. */
type Place = { readonly namespace?: string | undefined; readonly creationTimestamp?: string | undefined }

/**
 * Writes Events (events.k8s.io/v1) about objects.
 *
 * Guarantees: `event` returns at once and never throws. If the same event (object, type, action, reason and note)
 * occurs again within 6 minutes, it is counted in the series of one Event, which is written at most every 10 s. The
 * note is part of the key: from 2 to 7 replicas is another event than from 7 to 2. At most 1,000 different events are
 * kept in memory. After the API server has refused one because its namespace is being deleted, none is sent to that
 * namespace for 60 s, or until there is an object in it that was created since.
 * Does not: guarantee that an Event arrives. Events are notifications for users; the state is in the conditions.
 */
export type EventRecorder = {
  event(about: KubeObject, input: EventInput): void
  /** Whether the namespace of an object is being deleted, as the refusal of an Event has shown within the last 60 s. */
  isClosing(place: Place): boolean
  /** Writes the waiting events at once, ignoring the pace, and drops those that fail. For the end of the process. */
  flush(): Promise<void>
}

export type EventRecorderDeps = {
  readonly client: Pick<KubeClient, 'create' | 'apply'>
  readonly clock: Clock
  readonly log: Logger
  /** The reporting controller, a qualified name: `taskmill.dev/operator`. */
  readonly component: string
  /** The process that reports: the name of its pod. */
  readonly instance: string
}

/**
 * One series of equal events. `uid` is known once the Event is stored; `unwritten` means that something must be
 * written.
 */
type Entry = {
  readonly key: string
  /** Name of the Event. It is fixed, so that a retry cannot create two. */
  readonly name: string
  /** Not the object: it would keep old versions of objects in memory. */
  readonly regarding: Event['regarding']
  readonly input: EventInput
  readonly firstMs: number
  count: number
  lastMs: number
  uid?: string
  unwritten: boolean
  failures: number
  timer?: TimerHandle
}

const events: Resource<Event> = { group: 'events.k8s.io', version: 'v1', kind: 'Event', plural: 'events', namespaced: true }

const forgetAfterMs = 6 * 60_000
const paceMs = 10_000
const maxEntries = 1_000
const closingMs = 60_000
const maxNoteBytes = 1_024
const maxFailures = 3

/** Cuts a note to what the API server admits: it counts bytes, and the cut must be between characters. */
export function truncateNote(note: string): string {
  if (Buffer.byteLength(note) <= maxNoteBytes) return note
  const cut = Buffer.from(note).subarray(0, maxNoteBytes - Buffer.byteLength('…'))
  // A character that was cut in the middle decodes to one or more replacement characters.
  return `${cut.toString('utf8').replace(/\uFFFD+$/, '')}…`
}

export function createEventRecorder(deps: EventRecorderDeps): EventRecorder {
  const { client, clock, log, component, instance } = deps
  const fieldManager = 'taskmill-events'
  const entries = new Map<string, Entry>()
  const waiting = new Set<Entry>()
  /** Since when and until when each namespace counts as being deleted. */
  const closing = new Map<string, { readonly sinceMs: number; readonly untilMs: number }>()
  let writing: Promise<void> | undefined
  let serial = 0

  function record(about: KubeObject, input: EventInput): void {
    const nowMs = clock.now()
    const { namespace, name, uid } = about.metadata
    if (isClosing(about.metadata)) return
    const key = [about.kind, namespace, name, uid, input.type, input.action, input.reason, input.note].join('\u0000')
    let entry = entries.get(key)
    if (entry && nowMs - entry.lastMs < forgetAfterMs) {
      entry.count++
      entry.lastMs = nowMs
      if (entry.unwritten) return
      entry.unwritten = true
      return later(entry)
    }
    makeRoom(nowMs)
    if (entries.size >= maxEntries) return log.warn({ reason: input.reason }, 'too many Events, dropping one')
    entry = {
      key,
      name: `${name.slice(0, 230).replace(/[^a-z0-9]+$/, '')}.${nowMs.toString(16)}${(serial++ % 0x10000).toString(16).padStart(4, '0')}`,
      regarding: referenceTo(about),
      input: { ...input, note: truncateNote(input.note) },
      firstMs: nowMs,
      lastMs: nowMs,
      count: 1,
      unwritten: true,
      failures: 0,
    }
    entries.set(key, entry)
    enqueue(entry)
  }

  function isClosing({ namespace = 'default', creationTimestamp = '' }: Place): boolean {
    const known = closing.get(namespace)
    if (known === undefined) return false
    // Nothing can be created in a namespace that is being deleted: this is a new one of the same name.
    const isOfNewOne = Date.parse(creationTimestamp) > known.sinceMs
    if (!isOfNewOne && known.untilMs > clock.monotonicNow()) return true
    closing.delete(namespace)
    return false
  }

  function close(namespace: string): void {
    const nowMs = clock.monotonicNow()
    for (const [name, { untilMs }] of closing) if (untilMs <= nowMs) closing.delete(name)
    closing.set(namespace, { sinceMs: clock.now(), untilMs: nowMs + closingMs })
  }

  /** Drops series that have been quiet for 6 minutes and have nothing to write. */
  function makeRoom(nowMs: number): void {
    for (const entry of entries.values()) if (!entry.unwritten && nowMs - entry.lastMs >= forgetAfterMs) entries.delete(entry.key)
  }

  function later(entry: Entry, atLeastMs = 0): void {
    entry.timer = clock.setTimeout(() => enqueue(entry), Math.max(paceMs, atLeastMs))
  }

  function enqueue(entry: Entry): void {
    disarm(entry)
    waiting.add(entry)
    writing ??= drain()
  }

  function disarm(entry: Entry): void {
    if (entry.timer) clock.clearTimeout(entry.timer)
    delete entry.timer
  }

  /** One after the other, because Events are never worth a burst against the API server. */
  async function drain(): Promise<void> {
    for (const entry of waiting) {
      waiting.delete(entry)
      entry.unwritten = false
      if (isClosing(entry.regarding)) {
        entries.delete(entry.key)
        continue
      }
      try {
        await write(entry)
        entry.failures = 0
      } catch (error) {
        failed(entry, error)
      }
    }
    writing = undefined
  }

  async function write(entry: Entry): Promise<void> {
    const { regarding, input, count, lastMs, name } = entry
    const namespace = regarding.namespace ?? 'default'
    const series = { count, lastObservedTime: microTime(lastMs) }
    if (entry.uid !== undefined) {
      // With the UID the apply fails if the server has dropped the old Event, instead of creating an Event without
      // content.
      await client.apply(events, { metadata: { namespace, name, uid: entry.uid }, series }, { fieldManager, force: true })
      return
    }
    const { metadata } = await client.create<Event>(
      events,
      {
        metadata: { namespace, name },
        eventTime: microTime(entry.firstMs),
        type: input.type,
        reason: input.reason,
        action: input.action,
        note: input.note,
        reportingController: component,
        reportingInstance: instance.slice(0, 128),
        regarding,
        ...(count > 1 ? { series } : {}),
      },
      { fieldManager },
    )
    entry.uid = metadata.uid ?? ''
  }

  function failed(entry: Entry, error: unknown): void {
    const refusal = classifyRefusal(error)
    if (refusal.kind === 'NamespaceGone') close(entry.regarding.namespace ?? 'default')
    const context = { event: entry.input.reason, reason: describeRefusal(refusal) }
    // Without Events users miss what the operator tells them, and only the administrator can change that.
    if (refusal.kind === 'Permission') log.warn(context, 'could not write an Event')
    else log.debug(context, 'could not write an Event')
    if (isPassing(refusal) && ++entry.failures < maxFailures) {
      entry.unwritten = true
      if (!entry.timer) later(entry, refusal.retryAfterMs)
      return
    }
    // The Event was refused, or the stored one has expired: the next occurrence starts a new one.
    disarm(entry)
    if (entries.get(entry.key) === entry) entries.delete(entry.key)
  }

  return {
    event(about, input) {
      try {
        record(about, input)
      } catch (error) {
        log.error({ err: error }, 'could not record an Event')
      }
    },
    isClosing,
    async flush() {
      for (const entry of entries.values()) if (entry.timer) enqueue(entry)
      await writing
      for (const entry of entries.values()) disarm(entry)
      entries.clear()
    },
  }
}

/** Whether the same Event may be accepted a moment later: a quota, a policy or a role rarely change so fast. */
function isPassing({ kind }: Refusal): boolean {
  return kind === 'Unavailable' || kind === 'Overloaded' || kind === 'PolicyUnavailable'
}

function referenceTo(object: KubeObject): Event['regarding'] {
  const { namespace, name, uid, resourceVersion } = object.metadata
  return {
    apiVersion: object.apiVersion,
    kind: object.kind,
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(uid === undefined ? {} : { uid }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  }
}
