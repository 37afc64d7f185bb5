import type { QueueReading } from '../../broker/index.ts'
import type { TaskmillError } from '../../errors/index.ts'

/** The newest knowledge of one queue. An unreadable queue is not an empty queue: it keeps its last reading, marked as such. */
export type QueueSnapshot =
  | {
      readonly ok: true
      readonly reading: QueueReading
      /** Active jobs whose worker is gone; 0 also where nobody counted them, because workers are at work on the queue. */
      readonly orphaned: number
      readonly readAtMs: number
    }
  | {
      readonly ok: false
      readonly error: TaskmillError
      /** When it could not be read for the first time since it last could. */
      readonly sinceMs: number
      readonly lastReading?: QueueReading
    }

/** The snapshot after a read, and whether a decision may come out otherwise than before it. */
export type Step = { readonly next: QueueSnapshot; readonly isChanged: boolean }

/** A reading came in. */
export function afterReading(previous: QueueSnapshot | undefined, reading: QueueReading, orphaned: number, nowMs: number): Step {
  const isChanged = !previous?.ok || previous.orphaned !== orphaned || differs(previous.reading, reading)
  return { next: { ok: true, reading, orphaned, readAtMs: nowMs }, isChanged }
}

/** A read failed. Failing on for the same reason changes nothing. */
export function afterFailure(previous: QueueSnapshot | undefined, error: TaskmillError, nowMs: number): Step {
  if (previous?.ok === false) return { next: { ...previous, error }, isChanged: previous.error.code !== error.code }
  return {
    next: { ok: false, error, sinceMs: nowMs, ...(previous === undefined ? {} : { lastReading: previous.reading }) },
    isChanged: true,
  }
}

/** The cursor and the broker's time always move, and decide nothing. */
function differs(a: QueueReading, b: QueueReading): boolean {
  return (
    a.waiting !== b.waiting ||
    a.prioritized !== b.prioritized ||
    a.delayed !== b.delayed ||
    a.dueDelayed !== b.dueDelayed ||
    a.nextDueAtMs !== b.nextDueAtMs ||
    a.active !== b.active ||
    a.failed !== b.failed ||
    a.paused !== b.paused ||
    a.concurrency !== b.concurrency ||
    a.oldestReadyAtMs !== b.oldestReadyAtMs
  )
}

/** Whether the queue has jobs that a worker would start now. */
export function hasDemand(reading: QueueReading): boolean {
  return !reading.paused && reading.waiting + reading.prioritized + reading.dueDelayed > 0
}
