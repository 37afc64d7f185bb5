/**
 * Sends notifications: one queue for each channel.
 *
 * Guarantees: a receiver that hangs or refuses delays no other channel, and its own channel only by `atOnce` hanging requests, since a
 * notification that waits for its next attempt blocks nothing. For an alert and a channel there is one notification, the newest: it replaces
 * an older one that was not sent yet. An attempt ends within 10 s. A notification that was not accepted is sent again, at intervals that double up
 * to five minutes, with jitter, until `mostAttempts`, which takes some hours.
 * Does not: remember anything over a restart. The caller stores that it will send before it does, and sends again what it finds undelivered.
 */
import { deadline, type Clock, type TimerHandle } from '../../clock/index.ts'
import { errorMessage, hasCode, taskmillError } from '../../errors/index.ts'
import type { Logger } from '../../observability/index.ts'

export type Notification = {
  /** `namespace/name` of the channel and of the alert. */
  readonly channel: string
  readonly alert: string
  /** Of the transition that it is about. */
  readonly sequence: number
  /** The same for each attempt, and for nothing else: by it a receiver recognizes repetitions. */
  readonly id: string
  readonly body: Readonly<Record<string, unknown>>
}

/** The outcome of one attempt. The message says why it failed, and holds no secret. */
export type Attempt = { readonly ok: true } | { readonly ok: false; readonly message: string }

/** `Failed`: there is another attempt. `GivenUp`: there is none. */
export type AttemptOutcome = 'Delivered' | 'Failed' | 'GivenUp'

/** The state of a notification. */
export type Delivery =
  | { readonly kind: 'Waiting'; readonly attempts: number; readonly message?: string; readonly retryAtMs?: number }
  | { readonly kind: 'Delivered' }
  | { readonly kind: 'GivenUp'; readonly attempts: number; readonly message: string }

/** What waits for a channel, and what its receiver answered. */
export type ChannelActivity = {
  readonly waiting: number
  readonly last?: { readonly ok: boolean; readonly message: string }
  readonly deliveredAtMs?: number
  readonly failedAtMs?: number
}

export type Notifier = {
  /** Queues it, unless a notification of that transition, or of a later one, is queued or done already. */
  send(notification: Notification): void
  delivery(channel: string, alert: string, sequence: number): Delivery | undefined
  /** The outcome is stored, or not needed any more. */
  settle(channel: string, alert: string, sequence: number): void
  /** The alert is gone: what was not sent yet is dropped. */
  forget(alert: string): void
  activity(channel: string): ChannelActivity
  /** Announces each alert whose newest notification was attempted, until the returned function is called. */
  onOutcome(handler: (alert: string) => void): () => void
  /** Announces each channel after an attempt, and when a notification is queued, until the returned function is called. */
  onActivity(handler: (channel: string) => void): () => void
  /** Sends what waits for its next attempt now: the channel has changed. */
  retryNow(channel: string): void
  /** The channel is gone: what waits for it is dropped. */
  forgetChannel(channel: string): void
  /**
   * When the signal aborts, no attempt starts any more. `stopped` resolves when those under way have ended and were settled, or 2 s later, or when
   * this process may no longer act.
   */
  start(signal: AbortSignal): void
  readonly stopped: Promise<void>
}

export type NotifierDeps = {
  /** One attempt; `isAgain`: the one before failed. Must end when the signal aborts. */
  readonly deliver: (notification: Notification, options: { readonly isAgain: boolean; readonly signal: AbortSignal }) => Promise<Attempt>
  readonly clock: Clock
  readonly rng: () => number
  readonly log: Logger
  readonly onAttempt?: (channel: string, outcome: AttemptOutcome) => void
}

type Entry = {
  readonly notification: Notification
  delivery: Delivery
  timer?: TimerHandle | undefined
}

/** The queue of one channel. */
type Channel = {
  readonly key: string
  /** By alert. */
  readonly entries: Map<string, Entry>
  /** Entries that are due, in order. */
  readonly ready: Set<Entry>
  /** Alerts of which an attempt is under way. */
  readonly running: Set<string>
  activity: Omit<ChannelActivity, 'waiting'>
}

/** All channels of one notifier, and the end of its term. */
type Sender = {
  readonly deps: NotifierDeps
  readonly channels: Map<string, Channel>
  readonly outcomeHandlers: Set<(alert: string) => void>
  readonly activityHandlers: Set<(channel: string) => void>
  /** Attempts under way. */
  readonly attempts: Set<Promise<void>>
  /** Aborts when this process may no longer act. */
  readonly aborted: AbortController
  isStopping: boolean
  /** Called when an outcome is stored. */
  onSettle: () => void
}

export const attemptTimeoutMs = 10_000
export const mostAttempts = 50
const atOnce = 4
const firstDelayMs = 1_000
const longestDelayMs = 300_000
const settleMs = 2_000

export function createNotifier(deps: NotifierDeps): Notifier {
  const sender: Sender = {
    deps,
    channels: new Map(),
    outcomeHandlers: new Set(),
    activityHandlers: new Set(),
    attempts: new Set(),
    aborted: new AbortController(),
    isStopping: false,
    onSettle: () => {},
  }
  const { channels } = sender
  const stopped = Promise.withResolvers<void>()
  return {
    send: (notification) => enqueue(sender, notification),
    delivery(key, alert, sequence) {
      const entry = channels.get(key)?.entries.get(alert)
      return entry?.notification.sequence === sequence ? entry.delivery : undefined
    },
    settle(key, alert, sequence) {
      const channel = channels.get(key)
      if (channel?.entries.get(alert)?.notification.sequence === sequence) drop(sender, channel, alert)
      sender.onSettle()
    },
    forget(alert) {
      for (const channel of channels.values()) {
        if (!channel.entries.has(alert)) continue
        drop(sender, channel, alert)
        announceActivity(sender, channel)
      }
    },
    activity(key) {
      const channel = channels.get(key)
      const waiting = [...(channel?.entries.values() ?? [])].filter(({ delivery }) => delivery.kind === 'Waiting').length
      return { waiting, ...channel?.activity }
    },
    onOutcome: (handler) => listen(sender.outcomeHandlers, handler),
    onActivity: (handler) => listen(sender.activityHandlers, handler),
    retryNow(key) {
      const channel = channels.get(key)
      if (channel !== undefined) retryWaiting(sender, channel)
    },
    forgetChannel(key) {
      const channel = channels.get(key)
      if (channel === undefined) return
      for (const alert of channel.entries.keys()) drop(sender, channel, alert)
      channels.delete(key)
    },
    start(signal) {
      const end = () => {
        if (hasCode(signal.reason, 'TM_LEASE_LOST')) sender.aborted.abort(signal.reason)
        finish(sender).then(stopped.resolve, stopped.reject)
      }
      if (signal.aborted) end()
      else signal.addEventListener('abort', end, { once: true })
    },
    stopped: stopped.promise,
  }
}

/** Queues a notification, unless the same one, or a newer one of its alert, is queued or done. It replaces an older one. */
function enqueue(sender: Sender, notification: Notification): void {
  const channel = channelOf(sender, notification.channel)
  const before = channel.entries.get(notification.alert)
  if (before !== undefined && before.notification.sequence >= notification.sequence) return
  drop(sender, channel, notification.alert)
  const entry: Entry = { notification, delivery: { kind: 'Waiting', attempts: 0 } }
  channel.entries.set(notification.alert, entry)
  channel.ready.add(entry)
  startAttempts(sender, channel)
  announceActivity(sender, channel)
}

function channelOf({ channels }: Sender, key: string): Channel {
  const channel = channels.get(key) ?? { key, entries: new Map(), ready: new Set(), running: new Set(), activity: {} }
  channels.set(key, channel)
  return channel
}

function announceActivity({ activityHandlers }: Sender, { key }: Channel): void {
  for (const handler of activityHandlers) handler(key)
}

/** Starts attempts for what is due, at most `atOnce` of a channel. */
function startAttempts(sender: Sender, channel: Channel): void {
  for (const entry of channel.ready) {
    if (sender.isStopping || channel.running.size >= atOnce) return
    // An attempt for the notification that this one replaces is under way.
    if (channel.running.has(entry.notification.alert)) continue
    channel.ready.delete(entry)
    const end = attempt(sender, channel, entry).finally(() => sender.attempts.delete(end))
    sender.attempts.add(end)
  }
}

async function attempt(sender: Sender, channel: Channel, entry: Entry): Promise<void> {
  const { alert } = entry.notification
  channel.running.add(alert)
  const before = entry.delivery.kind === 'Waiting' ? entry.delivery.attempts : 0
  const outcome = await deliverOnce(sender, entry, before > 0)
  channel.running.delete(alert)
  if (outcome !== undefined) recordOutcome(sender, channel, entry, before + 1, outcome)
  startAttempts(sender, channel)
}

/** One attempt, of 10 s at most. Undefined: this process may no longer act, and the outcome is unknown. */
async function deliverOnce({ deps, aborted }: Sender, { notification }: Entry, isAgain: boolean): Promise<Attempt | undefined> {
  const late = () => taskmillError('TM_NOTIFICATION_TIMEOUT', `no answer within ${attemptTimeoutMs / 1000} s`)
  using limit = deadline(deps.clock, attemptTimeoutMs, { signal: aborted.signal, reason: late })
  try {
    return await deps.deliver(notification, { isAgain, signal: limit.signal })
  } catch (error) {
    if (aborted.signal.aborted || hasCode(error, 'TM_LEASE_LOST')) return undefined
    return { ok: false, message: limit.signal.aborted ? late().message : errorMessage(error) }
  }
}

/** Records an outcome, and when the next attempt is. A notification that was replaced meanwhile has no next attempt. */
function recordOutcome(sender: Sender, channel: Channel, entry: Entry, attempts: number, outcome: Attempt): void {
  const { clock, log, rng, onAttempt } = sender.deps
  const { channel: to, alert, sequence } = entry.notification
  const isNewest = channel.entries.get(alert) === entry
  const nowMs = clock.now()
  channel.activity = outcome.ok
    ? { ...channel.activity, last: { ok: true, message: 'taken' }, deliveredAtMs: nowMs }
    : { ...channel.activity, last: outcome, failedAtMs: nowMs }
  entry.delivery = nextDelivery(outcome, attempts, nowMs, rng)
  if (isNewest && entry.delivery.kind === 'Waiting') scheduleRetry(sender, channel, entry, (entry.delivery.retryAtMs ?? nowMs) - nowMs)
  const { kind } = entry.delivery
  onAttempt?.(channel.key, kind === 'Waiting' ? 'Failed' : kind)
  if (outcome.ok) log.info({ channel: to, alert, sequence }, 'a notification was delivered')
  else log.warn({ channel: to, alert, sequence, attempts, reason: outcome.message }, 'a notification was not delivered')
  if (isNewest) for (const handler of sender.outcomeHandlers) handler(alert)
  announceActivity(sender, channel)
}

function nextDelivery(outcome: Attempt, attempts: number, nowMs: number, rng: () => number): Delivery {
  if (outcome.ok) return { kind: 'Delivered' }
  if (attempts >= mostAttempts) return { kind: 'GivenUp', attempts, message: outcome.message }
  const waitMs = Math.min(longestDelayMs, firstDelayMs * 2 ** (attempts - 1)) * (0.75 + 0.5 * rng())
  return { kind: 'Waiting', attempts, message: outcome.message, retryAtMs: nowMs + waitMs }
}

function scheduleRetry(sender: Sender, channel: Channel, entry: Entry, waitMs: number): void {
  entry.timer = sender.deps.clock.setTimeout(() => {
    entry.timer = undefined
    channel.ready.add(entry)
    startAttempts(sender, channel)
  }, waitMs)
}

/** Makes what waits for its next attempt due now. */
function retryWaiting(sender: Sender, channel: Channel): void {
  for (const entry of channel.entries.values()) {
    if (entry.timer === undefined) continue
    sender.deps.clock.clearTimeout(entry.timer)
    entry.timer = undefined
    channel.ready.add(entry)
  }
  startAttempts(sender, channel)
}

function drop({ deps }: Sender, channel: Channel, alert: string): void {
  const entry = channel.entries.get(alert)
  if (entry === undefined) return
  channel.entries.delete(alert)
  channel.ready.delete(entry)
  if (entry.timer !== undefined) deps.clock.clearTimeout(entry.timer)
}

/** Lets attempts under way end, within their 10 s, and waits until their outcomes are stored, for a moment at most. */
async function finish(sender: Sender): Promise<void> {
  const { deps, channels, aborted } = sender
  sender.isStopping = true
  for (const { entries } of channels.values()) {
    for (const { timer } of entries.values()) if (timer !== undefined) deps.clock.clearTimeout(timer)
  }
  await Promise.all(sender.attempts)
  using patience = deadline(deps.clock, settleMs, { signal: aborted.signal, reason: () => 'not settled' })
  while (!patience.signal.aborted && hasUnsettled(sender)) await nextSettlement(sender, patience.signal)
}

function hasUnsettled({ channels }: Sender): boolean {
  return [...channels.values()].some(({ entries }) => [...entries.values()].some(({ delivery }) => delivery.kind !== 'Waiting'))
}

function nextSettlement(sender: Sender, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    sender.onSettle = resolve
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

function listen(handlers: Set<(key: string) => void>, handler: (key: string) => void): () => void {
  handlers.add(handler)
  return () => void handlers.delete(handler)
}
