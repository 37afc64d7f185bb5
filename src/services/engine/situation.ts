/** What prevents an object from being recorded in its broker, in words: the same for all kinds that have a record there. */
import type { DispatchLease } from '../brokers/index.ts'

/** `Unreadable`: what is stored is damaged, or a later version wrote it. The others are those of the dispatch lease. */
export type Situation =
  | Exclude<DispatchLease, { readonly kind: 'Held' }>
  | { readonly kind: 'Unreachable'; readonly message: string }
  | { readonly kind: 'Unreadable'; readonly message: string }

/** When to try again, in milliseconds, if no change in a cache or broker triggers it earlier. */
export const retryMs = {
  unreachable: 2_000,
  fenced: 1_000,
  undecided: 5_000,
  unreadable: 30_000,
  postponed: 5_000,
  conflict: 15_000,
} as const

/** The status that people read stays this long while the dispatch lease is undecided: usually it is known a moment later. */
export const keepStatusMs = 10_000

/** How a kind names what it does in the broker, and what to do about a record that cannot be read. */
export type RecordWords<Reason extends string> = {
  readonly verb: keyof typeof forms
  readonly unreadable: { readonly reason: Reason; readonly next: string }
}

const forms = {
  dispatch: { past: 'dispatched', present: 'dispatches' },
  apply: { past: 'applied', present: 'applies' },
} as const

/**
 * A situation as a condition says it. `meanwhile`: the reason why the object makes no progress; `Stalled`: it makes none until a user
 * changes something; undefined: all is as declared.
 */
export type SituationReport<Reason extends string> = {
  readonly reason: 'BrokerNotFound' | 'BrokerNotUsable' | 'BrokerUnreachable' | 'WaitingForDispatch' | 'Standby' | Reason
  readonly message: string
  readonly meanwhile?: 'WaitingForBroker' | 'WaitingForDispatch' | 'Stalled'
}

/** `broker` is the name of the TaskBroker. */
export function describeSituation<Reason extends string>(
  situation: Situation,
  broker: string,
  { verb, unreadable }: RecordWords<Reason>,
): SituationReport<Reason> {
  const { past, present } = forms[verb]
  switch (situation.kind) {
    case 'NoBroker': {
      const message = `TaskBroker "${broker}" does not exist in this namespace. Next: create it`
      return { reason: 'BrokerNotFound', message, meanwhile: 'WaitingForBroker' }
    }
    case 'NotUsable':
      return { reason: 'BrokerNotUsable', message: situation.message, meanwhile: 'WaitingForBroker' }
    case 'Unreachable': {
      const message = `nothing can be ${past}: ${situation.message}. Next: kubectl describe taskbroker ${broker}`
      return { reason: 'BrokerUnreachable', message, meanwhile: 'WaitingForBroker' }
    }
    case 'Unreadable': {
      const message = `${situation.message}. The operator does not overwrite it. Next: ${unreadable.next}`
      return { reason: unreadable.reason, message, meanwhile: 'Stalled' }
    }
    case 'Pending': {
      const message = 'the operator is claiming the dispatch lease of this namespace at the broker'
      return { reason: 'WaitingForDispatch', message, meanwhile: 'WaitingForDispatch' }
    }
    case 'Standby': {
      const own = `spec.dispatch of TaskBroker "${broker}" is Standby: this cluster ${present} nothing`
      const message = situation.heldBy === undefined ? own : `another cluster holds the dispatch lease: ${situation.heldBy}`
      return { reason: 'Standby', message }
    }
  }
}
