/** What a receiver is told: docs/alerts.md describes these fields for those who write receivers. Pure. */
import { alertConditionOf, type UnderstoodAlert } from '../../plans/index.ts'
import { type AlertRecord, crossedText, limitOf, momentOf, type Told, type Transition } from '../../alerting/index.ts'
import type { TaskAlert } from '../../api/index.ts'
import type { Notification } from '../../services/notifications/index.ts'

export function notificationOf(alert: TaskAlert, understood: UnderstoodAlert, record: AlertRecord, told: Told): Notification | undefined {
  const news = record.transitions.find(({ sequence }) => sequence === told.sequence)
  // Of one that is older than the last ten transitions nothing is known any more.
  if (news === undefined) return undefined
  const { metadata, spec } = alert
  const namespace = metadata.namespace ?? ''
  const fired = record.transitions.findLast(({ sequence, to }) => sequence <= told.sequence && to === 'Firing')
  const value = Number(news.amount)
  const limit = limitOf(alertConditionOf(alert))
  return {
    channel: `${namespace}/${told.channel}`,
    alert: `${namespace}/${metadata.name}`,
    sequence: told.sequence,
    id: `${metadata.uid ?? ''}-${told.sequence}`,
    body: {
      version: '1',
      id: `${metadata.uid ?? ''}-${told.sequence}`,
      state: news.to === 'Firing' ? 'firing' : 'resolved',
      alert: { namespace, name: metadata.name },
      target: spec.target,
      severity: spec.severity,
      message: messageOf(alert, understood, { value, limit, text: news.text, to: news.to }),
      value,
      valueText: news.text,
      limit,
      ...(fired === undefined ? {} : { since: momentOf(fired.atMs) }),
      ...(news.to === 'Resolved' ? { resolvedAt: momentOf(news.atMs) } : {}),
      ...(spec.runbookURL === undefined ? {} : { runbookURL: spec.runbookURL }),
    },
  }
}

type Facts = { readonly value: number; readonly limit: string; readonly text: string; readonly to: Transition['to'] }

/** In the alert's own words; in plain ones when it has none, or they fail: what is wrong with a text must not keep the news back. */
function messageOf(alert: TaskAlert, understood: UnderstoodAlert, { value, limit, text, to }: Facts): string {
  const { metadata, spec } = alert
  const { name, namespace = '' } = metadata
  try {
    const own = understood.ok
      ? understood.messageOf?.({ target: spec.target, alert: { name, namespace, severity: spec.severity }, value, limit })
      : undefined
    if (own !== undefined) return own
  } catch {
    // Falls through to the plain words.
  }
  const target = `${spec.target.kind} ${spec.target.name}`
  return to === 'Firing' ? `${target}: ${crossedText(alertConditionOf(alert), text)}` : `${target}: resolved, ${text}`
}
