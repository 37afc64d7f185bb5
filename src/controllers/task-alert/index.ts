/**
 * The TaskAlert controller: judges each alert, remembers in its status what came of it, and has channels told.
 *
 * Data goes one way: gather (caches; queues and counts that are read for all alerts together) -> decide (the pure rules of `alerting`) ->
 * status, which is the record -> notifications, Events, metrics. An alert is looked at when it, its target, its channels or its numbers
 * change, when a notification came to something, or when a moment comes that the rules named; it costs nothing while nothing changes.
 * A second controller keeps the condition Alerting of each target, from the alerts' statuses alone.
 */
export { alertingKind, taskAlertKind } from './kind.ts'
