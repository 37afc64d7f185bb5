/** What all alerts of one target come to, in one condition. Pure. */
import { findCondition, type TaskAlert, targetCondition, type WantedCondition } from '../../api/index.ts'

const mostNamed = 10
const severities = ['Critical', 'Warning', 'Info']
/** Why an alert is not judged, where that says that nobody can see, and not that there is too little to see. */
const blind = ['BrokerNotFound', 'BrokerNotUsable', 'BrokerUnreachable', 'CountsLost', 'ContradictoryWindow']

/** Which of them fire, and who is at it: what makes the condition worth writing at once, though its status is the same. */
export function newsOf(alerts: readonly TaskAlert[]): string {
  return alerts
    .filter(({ status }) => status?.state === 'Firing')
    .map(({ metadata, spec, status }) => `${metadata.name} ${spec.severity} ${status?.ackedBy ?? ''}`)
    .toSorted()
    .join('\n')
}

/** Undefined: no alert, no condition. `Undecided`: none fires, and one was not judged yet, which is a matter of a moment. */
export function alertingOf(alerts: readonly TaskAlert[]): WantedCondition | 'Undecided' | undefined {
  const firing = alerts.filter(({ status }) => status?.state === 'Firing').toSorted(byImportance)
  if (firing.length > 0) return targetCondition('Alerting', 'AlertsFiring', listed(firing.map(firingWords)))
  if (alerts.length === 0) return undefined
  if (alerts.some(({ status }) => status?.state === undefined)) return 'Undecided'
  const unseen = alerts.filter(isBlind).toSorted(byImportance)
  if (unseen.length > 0) {
    const words = unseen.map(({ metadata, status }) => `${metadata.name}: ${findCondition(status?.conditions, 'Firing')?.message ?? ''}`)
    return targetCondition('Alerting', 'AlertsUnknown', listed(words))
  }
  return targetCondition(
    'Alerting',
    'NoAlertFiring',
    alerts.length === 1 ? '1 alert, it does not fire' : `${alerts.length} alerts, none fires`,
  )
}

function isBlind({ status }: TaskAlert): boolean {
  const firing = findCondition(status?.conditions, 'Firing')
  return firing?.status === 'Unknown' && blind.includes(firing.reason)
}

/** `email-failing (Critical): 23% (69/300) > 10% in 5m, since 2026-11-29T02:51:00Z, not acknowledged`. */
function firingWords({ metadata, spec, status }: TaskAlert): string {
  const firing = findCondition(status?.conditions, 'Firing')
  const since = firing?.reason === 'ThresholdCrossed' ? `, since ${status?.sinceTime ?? ''}` : ''
  const by = status?.ackedBy === undefined ? 'not acknowledged' : `acknowledged by ${status.ackedBy}`
  return `${metadata.name} (${spec.severity}): ${firing?.message ?? ''}${since}, ${by}`
}

function byImportance(a: TaskAlert, b: TaskAlert): number {
  const rank = ({ spec }: TaskAlert): number => severities.indexOf(spec.severity)
  return rank(a) - rank(b) || (a.metadata.name < b.metadata.name ? -1 : 1)
}

function listed(words: readonly string[]): string {
  const more = words.length > mostNamed ? [`and ${words.length - mostNamed} more`] : []
  return [...words.slice(0, mostNamed), ...more].join('; ')
}
