import type { TaskSchedule, TaskScheduleStatus } from '../../api/index.ts'
import type { ScheduleFaultReason } from '../../plans/index.ts'
import type { Ledger, SlotSource } from '../../scheduling/index.ts'
import type { Suspension } from './override.ts'

/** What can be done about a schedule now. */
export type Situation =
  | { readonly kind: 'Invalid'; readonly fault: { readonly reason: ScheduleFaultReason | 'TemplateInvalid'; readonly message: string } }
  | { readonly kind: 'NoBroker' }
  /** A Secret of the TaskBroker is missing or wrong. */
  | { readonly kind: 'NotUsable'; readonly message: string }
  /** Nobody has said yet whose turn it is. */
  | { readonly kind: 'Pending' }
  | { readonly kind: 'Standby'; readonly heldBy: string | undefined }
  | { readonly kind: 'Unreachable'; readonly message: string }
  /** What is stored is damaged, or was written by a later version. */
  | { readonly kind: 'Unreadable'; readonly message: string }
  /** What runs is followed, and no slot is decided. */
  | { readonly kind: 'NoDependency'; readonly name: string }
  /** The API server does not take now what a due slot is to start. */
  | { readonly kind: 'Postponed'; readonly message: string }
  | { readonly kind: 'Driven' }

/** Everything that the status of a schedule says, gathered before it is said. */
export type World = {
  readonly schedule: TaskSchedule
  /** The status that was written last. */
  readonly status: TaskScheduleStatus | undefined
  readonly situation: Situation
  readonly suspension: Suspension
  /** What the API server says to the template of a Job that it would take. */
  readonly warnings: readonly string[]
  /** Undefined while the spec cannot be understood. */
  readonly slots: SlotSource | undefined
  /** The newest that is known; undefined: none was read. */
  readonly ledger: Ledger | undefined
  /** On the broker's clock. */
  readonly nowMs: number
}
