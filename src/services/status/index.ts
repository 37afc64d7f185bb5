/**
 * The writing of status: transitions at once, gauges seldom and within one budget for all kinds. Guarantees: nothing is written while nothing
 * changes; a status is never written to another object than it was made of.
 */
export { createStatusWriter, type StatusWriter } from './status-writer.ts'
export { createWriteBudget, type WriteBudget } from './write-budget.ts'
