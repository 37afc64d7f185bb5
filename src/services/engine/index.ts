/**
 * The one loop for everything that is recorded in a broker: observe, a pure step, one effect, and again, until the step is to wait. Schedules
 * (`services/slots`), runs (`services/runs`), settings of queues and the removal of orphaned data contribute their `Kind`; the engine owns
 * the dispatch lease and its situations in words, the connection, fencing, re-reading after doubt, retries and removal.
 *
 * Guarantees: see `visitRecord` and `Engine`. What happened in a visit comes back as a value, also when the visit failed half-way.
 * This room makes no decisions: a kind's pure rules do.
 */
export {
  createEngine,
  type Driven,
  type Engine,
  type EngineDeps,
  type ObjectMemory,
  type Removal,
  removeRecord,
  type Site,
} from './engine.ts'
export { describeSituation, type RecordWords, retryMs, type Situation, type SituationReport } from './situation.ts'
export {
  type Acted,
  type Kind,
  type KillPointHook,
  type Memory,
  type Step,
  type VisitReport,
  type VisitResult,
  visitRecord,
} from './visit.ts'
