import type { QueueReading } from '../../broker/index.ts'
import type { TaskmillError } from '../../errors/index.ts'

/** What is known of one queue. An unreadable queue is not an empty queue: it keeps its last reading, marked as such. */
export type QueueSnapshot =
  | {
      readonly ok: true
      readonly reading: QueueReading
      /** Active jobs whose worker is gone; 0 also where they are not counted, because workers serve the queue. */
      readonly orphaned: number
      readonly readAtMs: number
    }
  | {
      readonly ok: false
      readonly error: TaskmillError
      /** When the first read failed after the last one that succeeded. */
      readonly sinceMs: number
      readonly lastReading?: QueueReading
    }

/** The snapshot after a read, and whether it may change a decision. */
export type SnapshotStep = { readonly next: QueueSnapshot; readonly isChanged: boolean }

/** The read succeeded. */
export function afterReading(previous: QueueSnapshot | undefined, reading: QueueReading, orphaned: number, nowMs: number): SnapshotStep {
  const isChanged = !previous?.ok || previous.orphaned !== orphaned || differs(previous.reading, reading)
  return { next: { ok: true, reading, orphaned, readAtMs: nowMs }, isChanged }
}

/** The read failed. Failing again for the same reason changes nothing. */
export function afterFailure(previous: QueueSnapshot | undefined, error: TaskmillError, nowMs: number): SnapshotStep {
  if (previous?.ok === false) return { next: { ...previous, error }, isChanged: previous.error.code !== error.code }
  return {
    next: { ok: false, error, sinceMs: nowMs, ...(previous === undefined ? {} : { lastReading: previous.reading }) },
    isChanged: true,
  }
}

/** Ignores the cursor and the broker's time: they always move, and no decision depends on them. */
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
