/**
 * When an alert fires, when it does so no more, and who is told: pure rules over what was found out, what the alert's status remembers, and
 * the time.
 *
 * Guarantees: what cannot be known changes nothing, so no all-clear comes from a lost signal; each transition has a number and is told to a
 * channel once at most; whoever continues from the record alone, at any point, decides what the one before would have decided.
 * Assumes: a record is stored before anything that follows from it is done.
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
export { type AlertRecord, newest, newRecord, type Told, type Transition, withSuspension } from './record.ts'
export { duration, momentOf } from './words.ts'
