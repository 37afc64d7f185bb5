/**
 * BullMQ's own settings of queues, as TaskQueues declare them: pause, concurrency and retention. Guarantees: every write carries the proof of
 * the dispatch lease; only what was applied is taken back. This room does not read queues; see `services/signals`.
 */
export {
  createSettingsKind,
  type SettingsConflict,
  type SettingsHappening,
  type SettingsRecord,
  type SettingsStop,
  type SettingsVisit,
  type SettingsWish,
} from './queue-settings.ts'
