/**
 * One attempt to deliver a notification to the receiver of an AlertChannel: a line in the log, or a POST.
 *
 * Guarantees: no redirect is followed, only the status of an answer is read, and neither an error nor a message contains a URL: it can come from
 * a Secret, and so can the name of its host.
 */
import { type AlertChannel, receiverOf, urlSourceOf } from '../../api/index.ts'
import { hasCode } from '../../errors/index.ts'
import type { Logger, Metrics } from '../../observability/index.ts'
import type { Attempt, AttemptOutcome, ChannelActivity, NotifierDeps } from './notifier.ts'
import type { SecretCache } from '../secrets/index.ts'

/** Where the notifications of a channel go. `Blocked`: nowhere, and what to do. */
export type ChannelPlace =
  | { readonly kind: 'Log' }
  | { readonly kind: 'Webhook'; readonly url: string }
  | { readonly kind: 'Blocked'; readonly reason: 'SecretNotFound' | 'SecretForbidden' | 'SecretInvalid'; readonly message: string }

/** Sends a POST and resolves with the status of the answer, whatever it is; rejects when there is none. Follows no redirect. */
export type HttpPost = (
  url: string,
  request: { readonly headers: Readonly<Record<string, string>>; readonly body: string; readonly signal: AbortSignal },
) => Promise<number>

export function createDelivery(deps: {
  /** By `namespace/name`. */
  readonly channelOf: (key: string) => AlertChannel | undefined
  readonly secrets: SecretCache
  readonly post: HttpPost
  readonly log: Logger
}): NotifierDeps['deliver'] {
  const { channelOf, secrets, post, log } = deps
  return async ({ channel: key, id, body }, { isAgain, signal }) => {
    const channel = channelOf(key)
    if (channel === undefined) return { ok: false, message: 'the AlertChannel does not exist' }
    const place = await placeOf(channel, secrets, { force: isAgain, signal })
    switch (place.kind) {
      case 'Blocked':
        return { ok: false, message: place.message }
      case 'Log':
        log.warn({ channel: key, notification: body }, 'alert')
        return { ok: true }
      case 'Webhook':
        return send(post, place.url, { id, body, signal })
    }
  }
}

/** All outcomes: series that stay at 0 exist too. */
const attemptOutcomes: readonly AttemptOutcome[] = ['Delivered', 'Failed', 'GivenUp']

/** Makes the series of a channel, by its key, exist, and sets the gauge of what waits. */
export function openNotificationMetrics(metrics: Metrics, key: string, { waiting }: ChannelActivity): void {
  const series = metrics.of('AlertChannel', key)
  for (const outcome of attemptOutcomes) series.add('taskmill_notifications_total', { outcome }, 0)
  series.set('taskmill_notifications_waiting', {}, waiting)
}

/** Counts one attempt. */
export function countAttempt(metrics: Metrics, key: string, outcome: AttemptOutcome): void {
  metrics.of('AlertChannel', key).add('taskmill_notifications_total', { outcome })
}

type ReadOptions = { readonly force?: boolean; readonly signal?: AbortSignal | undefined }

/** Where the notifications of a channel go. `force`: the Secret is read again, whatever the cache has. */
export async function placeOf({ metadata, spec }: AlertChannel, secrets: SecretCache, options: ReadOptions = {}): Promise<ChannelPlace> {
  const receiver = receiverOf(spec)
  switch (receiver.kind) {
    case 'log':
      return { kind: 'Log' }
    case 'webhook': {
      const source = urlSourceOf(receiver.value)
      switch (source.kind) {
        case 'url':
          return { kind: 'Webhook', url: source.value }
        case 'urlSecretRef':
          return placeInSecret(metadata.namespace ?? '', source.value, secrets, options)
      }
    }
  }
}

async function placeInSecret(
  namespace: string,
  { name, key }: { readonly name: string; readonly key: string },
  secrets: SecretCache,
  options: ReadOptions,
): Promise<ChannelPlace> {
  const reading = await secrets.read(namespace, name, options)
  switch (reading.kind) {
    case 'Missing':
      return blocked('SecretNotFound', `Secret "${name}" does not exist in this namespace. Next: create it`)
    case 'Forbidden':
      return blocked(
        'SecretForbidden',
        `Secret "${name}" cannot be read: ${reading.message}. Next: let the operator get Secrets in this namespace`,
      )
    case 'Values': {
      const value = reading.values[key]?.trim() ?? ''
      if (value === '') return blocked('SecretInvalid', `Secret "${name}" has no key "${key}", or its value is empty. Next: add it`)
      return isUsable(value)
        ? { kind: 'Webhook', url: value }
        : blocked(
            'SecretInvalid',
            `"${key}" of Secret "${name}" is not an http:// or https:// URL without user name and password. Next: correct it`,
          )
    }
  }
}

function blocked(reason: Extract<ChannelPlace, { readonly kind: 'Blocked' }>['reason'], message: string): ChannelPlace {
  return { kind: 'Blocked', reason, message }
}

function isUsable(text: string): boolean {
  const url = URL.parse(text)
  return url !== null && /^https?:$/u.test(url.protocol) && url.username === '' && url.password === ''
}

async function send(
  post: HttpPost,
  url: string,
  { id, body, signal }: { readonly id: string; readonly body: Readonly<Record<string, unknown>>; readonly signal: AbortSignal },
): Promise<Attempt> {
  const headers = { 'content-type': 'application/json', 'idempotency-key': id, 'user-agent': 'taskmill' }
  try {
    const status = await post(url, { headers, body: JSON.stringify(body), signal })
    return status >= 200 && status < 300 ? { ok: true } : { ok: false, message: `HTTP ${status}` }
  } catch (error) {
    if (signal.aborted || hasCode(error, 'TM_LEASE_LOST')) throw error
    return { ok: false, message: wordsOf(error) }
  }
}

/** The message of a network error mostly has the address in it: only its code is shown. */
function wordsOf(error: unknown): string {
  const code = codeOf(error)
  if (code === undefined) return 'the request failed'
  if (code === 'ECONNREFUSED') return 'connection refused'
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `the host name cannot be resolved (${code})`
  if (code === 'ECONNRESET' || code === 'UND_ERR_SOCKET') return 'the connection was cut'
  return `${/CERT|TLS|SSL|SELF_SIGNED/u.test(code) ? 'TLS failed' : 'the request failed'} (${code})`
}

function codeOf(error: unknown): string | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
    const { code } = at as { readonly code?: unknown }
    if (typeof code === 'string' && /^[A-Z][A-Z0-9_]*$/u.test(code)) return code
  }
  return undefined
}
