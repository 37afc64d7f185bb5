/**
 * What turns functions that reconcile one key into a running operator: a queue of keys, controllers, election, and the order in
 * which everything starts and stops. Its semantics, numbers and names of metrics are those of Kubernetes' controller-runtime.
 *
 * Guarantees: one key is worked on by one worker at a time, and nothing that was asked for is forgotten; failures back off per
 * key; two processes never trust in leading at the same time; the lease is given up last.
 * Does not: know Kubernetes (ports are defined here and filled in by `main`), or fence what a frozen leader had already sent.
 */
export { createConsistency, type Consistency } from './consistency.ts'
export { createController, soonest } from './controller.ts'
export type {
  Controller,
  ControllerDeps,
  ControllerHooks,
  FailureKind,
  Reconcile,
  ReconcileContext,
  ReconcileResult,
} from './controller.ts'
export { createElector, type Elector, type ElectorDeps, type ElectorHooks, type LeasePort, type LeaseRecord } from './elector.ts'
export { watch, watchSpecs, type Kind, type Source, type Watch } from './kind.ts'
export { createLiveness, type Liveness } from './liveness.ts'
export { createManager, type Manager, type ManagerDeps, type ManagerPhase, type Startable } from './manager.ts'
export { createWorkQueue, type BackoffOptions, type QueueHooks, type WorkItem, type WorkQueue, type WorkQueueDeps } from './work-queue.ts'
