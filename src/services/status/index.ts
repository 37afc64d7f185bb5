/**
 * Writes the status of objects: transitions at once, gauges every 5 s to 30 s and within one budget for all kinds. Guarantees: nothing is written while
 * nothing changes; a status stands only on the object that it was made of. Does not: know what a status says.
 */
export {
  closingMs,
  createStatusWriter,
  createWriteBudget,
  runningGaugeMs,
  whileRunning,
  type StatusWriter,
  type WriteBudget,
} from './status-writer.ts'
