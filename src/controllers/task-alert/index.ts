/**
 * The TaskAlert controller: judges each alert, keeps the record in its status, and notifies its channels.
 *
 * Data goes one way: gather (caches; queues and counts that are read for all alerts together) → decide (the pure rules of `alerting`) → status,
 * which is the record → notifications, Events, metrics. An alert is reconciled when it, its target, its channels or its values change, after
 * each attempt to deliver a notification, and at the times that the rules name; it costs nothing while nothing changes.
 * A second controller, `alerting`, keeps the condition Alerting of each target, from the statuses of the alerts alone.
 */
export { alertingKind, taskAlertKind } from './kind.ts'
