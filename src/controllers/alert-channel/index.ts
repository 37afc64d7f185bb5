/**
 * The AlertChannel controller: says whether notifications can be sent, and what receivers answered last.
 *
 * It sends nothing: `services` does, for alerts. A channel is looked at when it changes, after each attempt, and once a minute when its URL is
 * in a Secret; a channel that is another one now, or can be used again, need not wait for the next attempt.
 */
export { alertChannelKind } from './kind.ts'
