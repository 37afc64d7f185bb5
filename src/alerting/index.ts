/**
 * When an alert starts and stops firing, and which channels are notified: pure rules over what was read, the record in the alert's status, and the
 * time.
 *
 * Guarantees: an unknown value changes no state, so that an alert is never resolved because a signal is lost. Each transition has a number, and a
 * channel is notified of it at most once. A process that continues from the record alone, at any point, decides what the one before would have
 * decided.
 * Assumes: the record is stored before anything that follows from it is done.
 * Does not: read a clock, know objects or brokers, or send anything.
 */
export { advance, type Advanced } from './advance.ts'
export { type AlertCondition, crossedText, factsFor, limitOf, measure, minutesOf } from './condition.ts'
export type { Facts, FactsKind, Measurement, Suspended, UnknownReason, Waiting } from './facts.ts'
export {
  type ChannelRules,
  decideNotifications,
  type HeldBack,
  type Notified,
  type NotifyRules,
  type Severity,
  withDelivery,
} from './notify.ts'
export {
  type AlertRecord,
  type DecidedNotification,
  longestRunSeconds,
  newest,
  newRecord,
  type Transition,
  withSuccess,
  withSuspension,
  withTiming,
} from './record.ts'
export { duration, momentOf, plural } from './words.ts'
