/**
 * The AlertChannel controller: says whether notifications can be sent, and what the receiver answered last.
 *
 * It sends nothing: `services/notifications` does, for alerts. A channel is reconciled when it changes, after each attempt to deliver a
 * notification, and once a minute if its URL is in a Secret. When the channel has changed, or can be used again, notifications that wait for their
 * next attempt are sent at once.
 */
export { alertChannelKind } from './kind.ts'
