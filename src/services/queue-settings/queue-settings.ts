import { isDeepStrictEqual } from 'node:util'
import type { Broker, DispatchProof, QueueAnswer, QueueChange, QueueReading, QueueRetention, QueueSettings } from '../../broker/index.ts'
import type { OwnerMarker } from '../../contract/index.ts'
import type { BrokerClock } from '../brokers/index.ts'
import { type Acted, type Kind, retryMs, type Situation, type Step } from '../engine/index.ts'

/** What one process knows of the settings that it applied to a queue. The broker's own record is compared by the script that applies them. */
export type SettingsRecord = {
  readonly applied?: { readonly what: Applied; readonly answer: Extract<QueueAnswer, { readonly outcome: 'Done' }> } | undefined
  /** When the next job is old enough to be removed, by this retention; on the broker's clock. */
  readonly clean?: { readonly retention: QueueRetention; readonly atMs: number } | undefined
}

/** While these are the same, there is nothing to apply. */
type Applied = {
  readonly settings: QueueSettings
  readonly epoch: number
  readonly uid: string | undefined
  /** What the queue itself said when that was applied. */
  readonly paused: boolean | undefined
  readonly concurrency: number | undefined
}

/** What a TaskQueue declares; `Released`: it is gone, and what it applied is taken back. */
export type SettingsWish =
  | {
      readonly kind: 'Applied'
      readonly settings: QueueSettings
      readonly retention: QueueRetention | undefined
      readonly uid: string | undefined
      readonly createdAtMs: number
      /** What is in the queue, as far as it is known. */
      readonly reading: QueueReading | undefined
      /** Whether the API server says that the object of another owner does not exist, so that its place may be taken. */
      readonly isOwnerGone: (owner: string) => Promise<boolean>
    }
  | { readonly kind: 'Released' }

/** The settings of one queue, for one visit. */
export type SettingsVisit = {
  readonly broker: Broker
  readonly brokerClock: BrokerClock
  readonly proof: DispatchProof
  readonly marker: OwnerMarker
  readonly queue: string
  /** `queueOwner(installation, namespace, name)`. */
  readonly owner: string
  readonly wish: SettingsWish
  /** Whether the object is still there, or still gone. Read before each step. */
  readonly isWanted?: (() => boolean) | undefined
}

export type SettingsHappening = { readonly kind: 'Changed'; readonly changes: readonly QueueChange[] }
/** Another TaskQueue, by its owner name, decides about the queue. */
export type SettingsConflict = { readonly kind: 'Conflict'; readonly owner: string }
export type SettingsStop = SettingsConflict | Extract<Situation, { readonly kind: 'Unreadable' }>

export type ObservedSettings = {
  readonly record: SettingsRecord
  readonly wish: SettingsWish
  readonly epoch: number
  /** On the broker's clock. */
  readonly nowMs: number
}

export type SettingsAction =
  | { readonly kind: 'Apply'; readonly what: Applied; readonly wish: Extract<SettingsWish, { readonly kind: 'Applied' }> }
  | { readonly kind: 'Clean'; readonly retention: QueueRetention }
  | { readonly kind: 'Release' }

type SettingsActed = Acted<SettingsRecord, SettingsHappening, SettingsStop>

/** Between two portions of old jobs, between two looks for some, and after a portion that was refused. */
const cleanGapMs = { more: 50, next: 10_000, retry: 30_000 } as const

/**
 * Makes the declared settings hold, and removes jobs that have been kept long enough, a portion at a time.
 *
 * Guarantees, beside those of the engine: settings are applied only if the spec, the term or the queue itself is not as it was; only what was
 * applied is taken back.
 */
export function createSettingsKind(
  visit: SettingsVisit,
): Kind<SettingsRecord, ObservedSettings, SettingsAction, SettingsHappening, SettingsStop> {
  return {
    observe: (known) => Promise.resolve(observe(visit, known)),
    step: nextSettingsStep,
    act: (observed, action) => act(visit, observed, action),
  }
}

function observe(visit: SettingsVisit, known: SettingsRecord | undefined): ObservedSettings | 'Unwanted' {
  const { wish, proof, broker, brokerClock } = visit
  if (visit.isWanted?.() === false) return 'Unwanted'
  return { record: known ?? {}, wish, epoch: proof.epoch, nowMs: brokerClock.now(broker) }
}

function nextSettingsStep({ record, wish, epoch, nowMs }: ObservedSettings): Step<SettingsAction> {
  if (wish.kind === 'Released') return { kind: 'Act', changes: 'Record', action: { kind: 'Release' } }
  const { settings, uid, reading, retention } = wish
  const what: Applied = { settings, epoch, uid, paused: reading?.paused, concurrency: reading?.concurrency }
  if (!isDeepStrictEqual(record.applied?.what, what)) return { kind: 'Act', changes: 'Record', action: { kind: 'Apply', what, wish } }
  if (retention === undefined) return { kind: 'Wait' }
  // Another retention says anew which jobs are old enough.
  const cleanAtMs = isDeepStrictEqual(record.clean?.retention, retention) ? (record.clean?.atMs ?? 0) : 0
  if (nowMs < cleanAtMs) return { kind: 'Wait', untilMs: cleanAtMs }
  return { kind: 'Act', changes: 'Effects', action: { kind: 'Clean', retention } }
}

function act(visit: SettingsVisit, observed: ObservedSettings, action: SettingsAction): Promise<SettingsActed> {
  switch (action.kind) {
    case 'Apply':
      return apply(visit, observed, action)
    case 'Clean':
      return clean(visit, observed, action.retention)
    case 'Release':
      return release(visit)
  }
}

async function apply(
  { broker, proof, queue, owner, marker }: SettingsVisit,
  { record }: ObservedSettings,
  { what, wish }: Extract<SettingsAction, { readonly kind: 'Apply' }>,
): Promise<SettingsActed> {
  const wanted = { queue, owner, proof, settings: what.settings, createdAtMs: wish.createdAtMs, marker }
  let answer = await broker.applyQueue(wanted)
  if (answer.outcome === 'Conflict' && (await wish.isOwnerGone(answer.owner)))
    answer = await broker.applyQueue({ ...wanted, gone: answer.owner })
  switch (answer.outcome) {
    case 'Done':
      return { outcome: 'Done', record: { ...record, applied: { what, answer } }, happened: [{ kind: 'Changed', changes: answer.changes }] }
    case 'Fenced':
      return { outcome: 'Fenced' }
    case 'Conflict':
      return { outcome: { stopped: { kind: 'Conflict', owner: answer.owner }, againAfterMs: retryMs.conflict } }
    case 'Unreadable': {
      const message = 'what was applied to the queue was recorded by a later version'
      return { outcome: { stopped: { kind: 'Unreadable', message }, againAfterMs: retryMs.conflict } }
    }
  }
}

async function clean(
  { broker, brokerClock, proof, queue, owner }: SettingsVisit,
  { record, nowMs }: ObservedSettings,
  retention: QueueRetention,
): Promise<SettingsActed> {
  const answer = await brokerClock.timed(broker, () => broker.cleanQueue({ queue, owner, proof, retention }))
  if (answer.outcome === 'Fenced') return { outcome: 'Fenced' }
  const cleanAt = (atMs: number): SettingsActed => ({ outcome: 'Done', record: { ...record, clean: { retention, atMs } } })
  if (answer.outcome !== 'Done') return cleanAt(nowMs + cleanGapMs.retry)
  const dueInMs = answer.nextAtMs - answer.brokerTimeMs
  const pauseMs = dueInMs <= 0 ? cleanGapMs.more : Math.max(dueInMs, cleanGapMs.next)
  return cleanAt(answer.brokerTimeMs + pauseMs)
}

/** Of a queue about which another TaskQueue decides only the owner marker goes. */
async function release({ broker, proof, queue, owner }: SettingsVisit): Promise<SettingsActed> {
  const { outcome } = await broker.releaseQueue({ queue, owner, proof })
  return { outcome: outcome === 'Fenced' ? 'Fenced' : 'Deleted' }
}
