/**
 * The contract between the operator, the workers and the clients: names that appear in the cluster and in Redis.
 *
 * Both sides are released separately and must interoperate over one minor version, so everything here is API: a name
 * changes only together with a reader that still understands the old one. The folder imports nothing, does nothing but
 * read the fields of records, and defines no default of any behaviour.
 */
export { annotations, labels, workerEnv } from './names.ts'
export {
  countedKey,
  countsKey,
  dispatcherKey,
  groupsKey,
  ledgerKey,
  ownersKey,
  queueKeys,
  queueNamePattern,
  queueSettingsKey,
  queuesKey,
  schedulersKey,
  runKey,
} from './keys.ts'
export type { CountsPlace, QueueKeys, QueuePart } from './keys.ts'
export { type Fields, readFields, readList, readNumber, readOneOf, readOptional, readText, readVersion } from './reader.ts'
export {
  dispatcherName,
  cronJobId,
  doneQueue,
  isCronJobId,
  installationOf,
  installationPattern,
  jobIdsOf,
  jobName,
  ledgerName,
  nodeJobId,
  parseOwner,
  queueOwner,
  runName,
  schedulerJobId,
  slotJobId,
  slotName,
  parseSlotJobId,
  slotTime,
} from './runs.ts'
export type { CountIncrement, DoneData, OwnerMarker, Slot, SubjectKind } from './runs.ts'
