/**
 * Orphaned data: what objects that are gone left in brokers, and its removal. Guarantees: see `OrphanedData`. This room makes no decisions: the
 * removal takes the same steps as that of an object whose deletion was seen.
 */
export { createOrphanedData, type OrphanedData, type OrphanedDataDeps } from './orphaned-data.ts'
export type { OwnedKind } from './remove-orphan.ts'
