/**
 * The API of Taskmill: one declaration per kind, from which come the CRD, the TypeScript types and the reference page
 * (`hack/generate.ts` writes them); the objects of Kubernetes that Taskmill touches, as honest raw JSON; and the registries of
 * conditions and Events, each reason with a sentence that says what to do next.
 *
 * A type says what the API server returns, defaults filled in. The API server refuses what the schema forbids; `withDefaults` and
 * `createValidator` say the same without one, from the same declaration. A field is declared when it works, not before.
 */
export { deployments } from './builtin/deployment.ts'
export type { Deployment, DeploymentCondition, DeploymentSpec, DeploymentStatus } from './builtin/deployment.ts'
export { events } from './builtin/event.ts'
export type { Event } from './builtin/event.ts'
export { leases } from './builtin/lease.ts'
export type { Lease } from './builtin/lease.ts'
export { pods } from './builtin/pod.ts'
export type { Pod } from './builtin/pod.ts'
export { findCondition, setConditions } from './conditions.ts'
export { crdOf, maxCrdBytes } from './crd.ts'
export { kinds } from './kinds/all.ts'
export { apiGroup, apiVersion } from './kinds/kind.ts'
export type { Kind } from './kinds/kind.ts'
export type { PodTemplate } from './kinds/pod-template.ts'
export { taskBroker, taskBrokers } from './kinds/task-broker.ts'
export type { TaskBroker, TaskBrokerSpec, TaskBrokerStatus } from './kinds/task-broker.ts'
export { brokerCondition, brokerEvent } from './kinds/task-broker-reasons.ts'
export { workerPool, workerPools } from './kinds/worker-pool.ts'
export type { WorkerPool, WorkerPoolSpec, WorkerPoolStatus } from './kinds/worker-pool.ts'
export { poolCondition, poolEvent } from './kinds/worker-pool-reasons.ts'
export { apiVersionOf, kubeTime } from './object.ts'
export type { Condition, KubeObject, ObjectMeta, OwnerReference, Resource } from './object.ts'
export type { WantedCondition, WantedEvent } from './registry.ts'
export { describeBounds, describeDefault } from './schema/describe.ts'
export type { JsonSchema } from './schema/index.ts'
export { withDefaults } from './validation/defaults.ts'
export type { Problem } from './validation/faults.ts'
export { createValidator } from './validation/validate.ts'
export type { Validate } from './validation/validate.ts'
