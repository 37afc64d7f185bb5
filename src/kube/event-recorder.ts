import type { Event, KubeObject } from '../api/index.ts'
import type { Clock, TimerHandle } from '../clock/index.ts'
import { classifyRefusal, describeRefusal, type Refusal } from '../errors/index.ts'
import type { Logger } from '../observability/index.ts'
import type { KubeClient } from './client.ts'
import { type ClosingNamespaces, events } from './closing-namespaces.ts'
import { microTime } from './notation.ts'

/** What happened, in one sentence (`note`), with a `reason` from a registry and the `action` that was in progress. */
export type EventInput = { readonly type: 'Normal' | 'Warning'; readonly reason: string; readonly action: string; readonly note: string }

/**
 * Writes Events (events.k8s.io/v1) about objects.
 *
 * Guarantees: `event` returns at once and never throws. If the same event (object, type, action, reason and note)
 * occurs again within 6 minutes, it is counted in the series of one Event, which is written at most every 10 s. The
 * note is part of the key: from 2 to 7 replicas is another event than from 7 to 2. At most 1,000 different events are
 * kept in memory; of those beyond, the log says how many were dropped, once in 10 s. None is sent to a namespace that is
 * being deleted.
 * Does not: guarantee that an Event arrives. Events are notifications for users; the state is in the conditions.
 */
export type EventRecorder = {
  event(about: KubeObject, input: EventInput): void
  /** Writes the waiting events at once, ignoring the pace, and drops those that fail. For the end of the process. */
  flush(): Promise<void>
}

export type EventRecorderDeps = {
  readonly client: Pick<KubeClient, 'create' | 'apply'>
  readonly closing: Pick<ClosingNamespaces, 'isClosing'>
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

const forgetAfterMs = 6 * 60_000
const paceMs = 10_000
const maxEntries = 1_000
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
  const { client, closing, clock, log, component, instance } = deps
  const fieldManager = 'taskmill-events'
  const entries = new Map<string, Entry>()
  const waiting = new Set<Entry>()
  /** Events for which there was no room, by reason, since the log said so last. */
  const dropped = new Map<string, number>()
  let reporting: TimerHandle | undefined
  let writing: Promise<void> | undefined
  let serial = 0

  function record(about: KubeObject, input: EventInput): void {
    const nowMs = clock.now()
    const { namespace, name, uid } = about.metadata
    if (closing.isClosing(about.metadata)) return
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
    if (entries.size >= maxEntries) return drop(input.reason)
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

  function drop(reason: string): void {
    dropped.set(reason, (dropped.get(reason) ?? 0) + 1)
    reporting ??= clock.setTimeout(reportDropped, paceMs)
  }

  function reportDropped(): void {
    if (reporting !== undefined) clock.clearTimeout(reporting)
    reporting = undefined
    if (dropped.size === 0) return
    const count = [...dropped.values()].reduce((sum, each) => sum + each, 0)
    log.warn({ dropped: count, reasons: Object.fromEntries(dropped) }, 'too many Events at once, some were dropped')
    dropped.clear()
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
      if (closing.isClosing(entry.regarding)) {
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
    async flush() {
      reportDropped()
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
