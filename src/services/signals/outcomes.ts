import type { CountIncrement } from '../../contract/index.ts'
import { errorMessage } from '../../errors/index.ts'
import type { Logger } from '../../observability/index.ts'

/** An end that was counted in the broker a moment ago. */
export type RecordedOutcome = CountIncrement & { readonly namespace: string }

/**
 * Tells at once that the counts of a subject have changed, so that nobody has to poll them. Only what this process recorded: it is the one
 * that dispatches. Who was not there when something was told reads the counts.
 */
export type Outcomes = {
  /** Called after each recorded end, never from within the call that records. */
  onRecorded(listener: (recorded: RecordedOutcome) => void): void
  /** For the drivers. */
  tell(namespace: string, counts: readonly CountIncrement[]): void
}

export function createOutcomes({ log }: { readonly log: Logger }): Outcomes {
  const listeners: ((recorded: RecordedOutcome) => void)[] = []
  return {
    onRecorded: (listener) => void listeners.push(listener),
    tell(namespace, counts) {
      queueMicrotask(() => {
        for (const count of counts) {
          for (const listener of listeners) {
            try {
              listener({ ...count, namespace })
            } catch (error) {
              log.error({ ...count, error: errorMessage(error) }, 'a listener to recorded outcomes failed')
            }
          }
        }
      })
    },
  }
}
