/**
 * What goes out to the receivers of alerts. Guarantees: one queue for each channel, so that a receiver that hangs delays no other channel; a
 * notification is sent again until it is accepted, or given up. Does not: decide who is notified; `alerting` does.
 */
export { countAttempt, createDelivery, openNotificationMetrics, placeOf, type ChannelPlace, type HttpPost } from './delivery.ts'
export { createNotifier, type ChannelActivity, type Delivery, type Notification, type Notifier } from './notifier.ts'
