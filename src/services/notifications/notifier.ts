/**
 * Sends notifications: one queue for each channel.
 *
 * Guarantees: a receiver that hangs, or refuses what it gets, delays no other channel, and on its own channel only as much as
 * `atOnce` hanging requests do, since whoever waits for another attempt is in nobody's way. Of an alert and a channel there is one
 * notification, the newest: what it supersedes is not sent any more. An attempt ends within 10 s; what was not taken is tried again, at
 * intervals that double up to five minutes, with chance in them, until `mostAttempts`, which is some hours.
 * Does not: remember anything over a restart. Whoever sends has stored before that it will, and sends again what it finds undelivered.
 */
import { deadline, type Clock, type TimerHandle } from '../../clock/index.ts'
import { errorMessage, hasCode, taskmillError } from '../../errors/index.ts'
import type { Logger } from '../../observability/index.ts'

export type Notification = {
  /** `namespace/name` of the AlertChannel and of the TaskAlert. */
  readonly channel: string
  readonly alert: string
  /** Of the transition that it is about. */
  readonly sequence: number
  /** The same for each attempt, and for nothing else: by it a receiver tells repetitions. */
  readonly id: string
  readonly body: Readonly<Record<string, unknown>>
}

/** What one attempt came to. The message says why not, and holds no secret. */
export type Attempt = { readonly ok: true } | { readonly ok: false; readonly message: string }

/** What became of a notification so far. */
export type Delivery =
  | { readonly kind: 'Waiting'; readonly attempts: number; readonly message?: string; readonly retryAtMs?: number }
  | { readonly kind: 'Delivered' }
  | { readonly kind: 'GivenUp'; readonly attempts: number; readonly message: string }

/** What a channel's receiver has said. */
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
  /** The outcome is stored, or of no interest any more. */
  settle(channel: string, alert: string, sequence: number): void
  /** The alert is gone: what was not sent yet is not sent. */
  forget(alert: string): void
  activity(channel: string): ChannelActivity
  /** Announces each alert whose newest notification was attempted, until the returned function is called. */
  onOutcome(handler: (alert: string) => void): () => void
  /** Announces each channel after an attempt, and when a notification is queued, until the returned function is called. */
  onActivity(handler: (channel: string) => void): () => void
  /** The channel is another one now: what waits for its next attempt need not wait. */
  retryNow(channel: string): void
  /** The channel is gone, and what waits for it. */
  forgetChannel(channel: string): void
  /** For the end of a term: begins no more attempts, and waits until those under way have ended and were settled, as long as anybody may still act. */
  start(signal: AbortSignal): void
  readonly stopped: Promise<void>
}

export type NotifierDeps = {
  /** One attempt; `isAgain`: the one before failed. Must end when the signal aborts. */
  readonly deliver: (notification: Notification, options: { readonly isAgain: boolean; readonly signal: AbortSignal }) => Promise<Attempt>
  readonly clock: Clock
  readonly rng: () => number
  readonly log: Logger
  readonly onAttempt?: (channel: string, outcome: 'Delivered' | 'Failed' | 'GivenUp') => void
}

type Entry = {
  readonly notification: Notification
  delivery: Delivery
  timer?: TimerHandle | undefined
}
type Channel = {
  /** By alert. */
  readonly entries: Map<string, Entry>
  /** Those that are due, in order. */
  readonly ready: Set<Entry>
  /** Alerts of which an attempt is under way. */
  readonly running: Set<string>
  activity: Omit<ChannelActivity, 'waiting'>
}

export const attemptTimeoutMs = 10_000
export const mostAttempts = 50
const atOnce = 4
const firstDelayMs = 1_000
const longestDelayMs = 300_000
const settleMs = 2_000

export function createNotifier({ deliver, clock, rng, log, onAttempt }: NotifierDeps): Notifier {
  const channels = new Map<string, Channel>()
  const outcomeHandlers = new Set<(alert: string) => void>()
  const activityHandlers = new Set<(channel: string) => void>()
  const aborted = new AbortController()
  const stopped = Promise.withResolvers<void>()
  const running = new Set<Promise<void>>()
  let isStopping = false

  function channelOf(key: string): Channel {
    const channel = channels.get(key) ?? { entries: new Map(), ready: new Set(), running: new Set(), activity: {} }
    channels.set(key, channel)
    return channel
  }

  function announceActivity(key: string): void {
    for (const handler of activityHandlers) handler(key)
  }

  function pump(key: string, channel: Channel): void {
    for (const entry of channel.ready) {
      if (isStopping || channel.running.size >= atOnce) return
      // Of one that it supersedes an attempt is still under way.
      if (channel.running.has(entry.notification.alert)) continue
      channel.ready.delete(entry)
      const end = attempt(key, channel, entry).finally(() => running.delete(end))
      running.add(end)
    }
  }

  async function attempt(key: string, channel: Channel, entry: Entry): Promise<void> {
    const { alert } = entry.notification
    channel.running.add(alert)
    const before = entry.delivery.kind === 'Waiting' ? entry.delivery.attempts : 0
    const outcome = await tryOnce(entry, before > 0)
    channel.running.delete(alert)
    if (outcome !== undefined) conclude(key, channel, entry, before + 1, outcome)
    pump(key, channel)
  }

  /** Undefined: nobody may act any more, and nobody knows what came of it. */
  async function tryOnce({ notification }: Entry, isAgain: boolean): Promise<Attempt | undefined> {
    const late = () => taskmillError('TM_NOTIFICATION_TIMEOUT', `no answer within ${attemptTimeoutMs / 1000} s`)
    using limit = deadline(clock, attemptTimeoutMs, { signal: aborted.signal, reason: late })
    try {
      return await deliver(notification, { isAgain, signal: limit.signal })
    } catch (error) {
      if (aborted.signal.aborted || hasCode(error, 'TM_LEASE_LOST')) return undefined
      return { ok: false, message: limit.signal.aborted ? late().message : errorMessage(error) }
    }
  }

  function conclude(key: string, channel: Channel, entry: Entry, attempts: number, outcome: Attempt): void {
    const { notification } = entry
    const isNewest = channel.entries.get(notification.alert) === entry
    const nowMs = clock.now()
    channel.activity = outcome.ok
      ? { ...channel.activity, last: { ok: true, message: 'taken' }, deliveredAtMs: nowMs }
      : { ...channel.activity, last: outcome, failedAtMs: nowMs }
    if (outcome.ok) entry.delivery = { kind: 'Delivered' }
    else if (attempts >= mostAttempts) entry.delivery = { kind: 'GivenUp', attempts, message: outcome.message }
    else {
      const waitMs = Math.min(longestDelayMs, firstDelayMs * 2 ** (attempts - 1)) * (0.75 + 0.5 * rng())
      entry.delivery = { kind: 'Waiting', attempts, message: outcome.message, retryAtMs: nowMs + waitMs }
      if (isNewest) {
        entry.timer = clock.setTimeout(() => {
          entry.timer = undefined
          channel.ready.add(entry)
          pump(key, channel)
        }, waitMs)
      }
    }
    const { kind } = entry.delivery
    onAttempt?.(key, kind === 'Waiting' ? 'Failed' : kind)
    const { channel: to, alert, sequence } = notification
    if (outcome.ok) log.info({ channel: to, alert, sequence }, 'a notification was delivered')
    else log.warn({ channel: to, alert, sequence, attempts, reason: outcome.message }, 'a notification was not delivered')
    if (isNewest) for (const handler of outcomeHandlers) handler(alert)
    announceActivity(key)
  }

  function drop(channel: Channel, alert: string): void {
    const entry = channel.entries.get(alert)
    if (entry === undefined) return
    channel.entries.delete(alert)
    channel.ready.delete(entry)
    if (entry.timer !== undefined) clock.clearTimeout(entry.timer)
  }

  /** Those under way have their 10 s; what they came to is stored, as long as it takes, for a moment. */
  async function windUp(): Promise<void> {
    isStopping = true
    for (const { entries } of channels.values()) {
      for (const { timer } of entries.values()) if (timer !== undefined) clock.clearTimeout(timer)
    }
    await Promise.all(running)
    using patience = deadline(clock, settleMs, { signal: aborted.signal, reason: () => 'not settled' })
    while (!patience.signal.aborted && unsettled()) await settled(patience.signal)
  }

  const unsettled = (): boolean =>
    [...channels.values()].some(({ entries }) => [...entries.values()].some(({ delivery }) => delivery.kind !== 'Waiting'))
  let onSettle = () => {}
  function settled(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      onSettle = resolve
      signal.addEventListener('abort', () => resolve(), { once: true })
    })
  }

  return {
    send(notification) {
      const channel = channelOf(notification.channel)
      const before = channel.entries.get(notification.alert)
      if (before !== undefined && before.notification.sequence >= notification.sequence) return
      drop(channel, notification.alert)
      const entry: Entry = { notification, delivery: { kind: 'Waiting', attempts: 0 } }
      channel.entries.set(notification.alert, entry)
      channel.ready.add(entry)
      pump(notification.channel, channel)
      announceActivity(notification.channel)
    },
    delivery(key, alert, sequence) {
      const entry = channels.get(key)?.entries.get(alert)
      return entry?.notification.sequence === sequence ? entry.delivery : undefined
    },
    settle(key, alert, sequence) {
      const channel = channels.get(key)
      if (channel?.entries.get(alert)?.notification.sequence === sequence) drop(channel, alert)
      onSettle()
    },
    forget(alert) {
      for (const [key, channel] of channels) {
        if (!channel.entries.has(alert)) continue
        drop(channel, alert)
        announceActivity(key)
      }
    },
    activity(key) {
      const channel = channels.get(key)
      const waiting = [...(channel?.entries.values() ?? [])].filter(({ delivery }) => delivery.kind === 'Waiting').length
      return { waiting, ...channel?.activity }
    },
    onOutcome: (handler) => listen(outcomeHandlers, handler),
    onActivity: (handler) => listen(activityHandlers, handler),
    retryNow(key) {
      const channel = channels.get(key)
      for (const entry of channel?.entries.values() ?? []) {
        if (channel === undefined || entry.timer === undefined) continue
        clock.clearTimeout(entry.timer)
        entry.timer = undefined
        channel.ready.add(entry)
      }
      if (channel !== undefined) pump(key, channel)
    },
    forgetChannel(key) {
      const channel = channels.get(key)
      if (channel === undefined) return
      for (const alert of channel.entries.keys()) drop(channel, alert)
      channels.delete(key)
    },
    start(signal) {
      const end = () => {
        if (hasCode(signal.reason, 'TM_LEASE_LOST')) aborted.abort(signal.reason)
        windUp().then(stopped.resolve, stopped.reject)
      }
      if (signal.aborted) end()
      else signal.addEventListener('abort', end, { once: true })
    },
    stopped: stopped.promise,
  }
}

function listen(handlers: Set<(key: string) => void>, handler: (key: string) => void): () => void {
  handlers.add(handler)
  return () => void handlers.delete(handler)
}
