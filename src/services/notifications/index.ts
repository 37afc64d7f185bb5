/**
 * What goes out to the receivers of alerts. Guarantees: one queue for each channel, so that a receiver which hangs is in nobody's way; a notification is told
 * again until it is taken, or given up. Does not: decide who is told; that does `alerting`.
 */
export { createDelivery, placeOf, type ChannelPlace, type HttpPost } from './delivery.ts'
export { createNotifier, type ChannelActivity, type Delivery, type Notification, type Notifier } from './notifier.ts'
