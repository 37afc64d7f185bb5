/**
 * The notifications of an alert. Guarantee: nothing is sent that does not stand in the status; a notification that stands there as Pending and
 * is not under way was left by a process that ended, and is sent again with the same id.
 */
import { alertConditionOf, type UnderstoodAlert } from '../../plans/index.ts'
import { type AlertRecord, crossedText, type DecidedNotification, limitOf, momentOf, type Transition } from '../../alerting/index.ts'
import type { TaskAlert } from '../../api/index.ts'
import type { Notification, Notifier } from '../../services/notifications/index.ts'
import type { World } from './gather.ts'

/**
 * Sends what is Pending in the record, which is stored already, and settles the rest. A channel that does not exist gets nothing; its
 * notification stays Pending.
 */
export function sendNotifications(
  notifier: Pick<Notifier, 'send' | 'settle'>,
  key: string,
  { alert, understood }: Pick<World, 'alert' | 'understood'>,
  record: AlertRecord,
  hasChannel: (channel: string) => boolean,
): void {
  const namespace = alert.metadata.namespace ?? ''
  for (const decided of record.notifications) {
    const channel = `${namespace}/${decided.channel}`
    if (decided.delivery !== 'Pending') notifier.settle(channel, key, decided.sequence)
    else if (hasChannel(channel)) {
      const notification = notificationOf(alert, understood, record, decided)
      if (notification !== undefined) notifier.send(notification)
    }
  }
}

/**
 * The notification for one channel; undefined if its transition is older than the last ten, of which nothing is known any more. docs/alerts.md
 * describes the fields of the body for those who write receivers.
 */
export function notificationOf(
  alert: TaskAlert,
  understood: UnderstoodAlert,
  record: AlertRecord,
  decided: DecidedNotification,
): Notification | undefined {
  const transition = record.transitions.find(({ sequence }) => sequence === decided.sequence)
  if (transition === undefined) return undefined
  const { metadata, spec } = alert
  const namespace = metadata.namespace ?? ''
  const fired = record.transitions.findLast(({ sequence, to }) => sequence <= decided.sequence && to === 'Firing')
  const value = Number(transition.amount)
  const limit = limitOf(alertConditionOf(alert))
  return {
    channel: `${namespace}/${decided.channel}`,
    alert: `${namespace}/${metadata.name}`,
    sequence: decided.sequence,
    id: `${metadata.uid ?? ''}-${decided.sequence}`,
    body: {
      version: '1',
      id: `${metadata.uid ?? ''}-${decided.sequence}`,
      state: transition.to === 'Firing' ? 'firing' : 'resolved',
      alert: { namespace, name: metadata.name },
      target: spec.target,
      severity: spec.severity,
      message: messageOf(alert, understood, { value, limit, text: transition.text, to: transition.to }),
      value,
      valueText: transition.text,
      limit,
      ...(fired === undefined ? {} : { since: momentOf(fired.atMs) }),
      ...(transition.to === 'Resolved' ? { resolvedAt: momentOf(transition.atMs) } : {}),
      ...(spec.runbookURL === undefined ? {} : { runbookURL: spec.runbookURL }),
    },
  }
}

type Facts = { readonly value: number; readonly limit: string; readonly text: string; readonly to: Transition['to'] }

/** The alert's own words, or plain ones if it has none or they fail: a mistake in a text must not keep a notification back. */
function messageOf(alert: TaskAlert, understood: UnderstoodAlert, { value, limit, text, to }: Facts): string {
  const { metadata, spec } = alert
  const { name, namespace = '' } = metadata
  try {
    const own = understood.ok
      ? understood.messageOf?.({ target: spec.target, alert: { name, namespace, severity: spec.severity }, value, limit })
      : undefined
    if (own !== undefined) return own
  } catch {
    // The plain words below.
  }
  const target = `${spec.target.kind} ${spec.target.name}`
  return to === 'Firing' ? `${target}: ${crossedText(alertConditionOf(alert), text)}` : `${target}: resolved, ${text}`
}
