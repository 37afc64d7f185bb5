import type { TaskBroker, TaskBrokerStatus } from '../../api/index.ts'
import type { BrokerInfo } from '../../broker/index.ts'
import type { DispatchState } from '../../services/brokers/index.ts'

/** What the broker said about itself, or why it did not. */
export type Look =
  | { readonly kind: 'Blocked'; readonly reason: 'SecretNotFound' | 'SecretForbidden' | 'SecretInvalid'; readonly message: string }
  | { readonly kind: 'Failed'; readonly reason: 'ConnectionFailed' | 'TLSFailed' | 'AuthenticationFailed'; readonly message: string }
  | {
      readonly kind: 'Answered'
      readonly info: BrokerInfo
      /** How far its clock is ahead of ours, and by how much that may be wrong because of the time that the answer took. */
      readonly skewMs: number
      readonly skewErrorMs: number
      /** Queues with repeatable jobs of an old BullMQ. */
      readonly legacyQueues: readonly string[]
    }

/** Everything that the status of one TaskBroker depends on. */
export type World = {
  readonly broker: TaskBroker
  /** The status that was written last. */
  readonly status: TaskBrokerStatus | undefined
  readonly look: Look
  readonly dispatch: DispatchState
  /** Of this operator, as other clusters see it. */
  readonly installation: string
  readonly nowMs: number
}
