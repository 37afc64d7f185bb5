/**
 * The API of Taskmill: one declaration per kind, which gives the CRD, the TypeScript types and the reference page
 * (`hack/generate.ts` writes them); the built-in objects that Taskmill uses, as raw JSON; and the registries of
 * conditions and Events, where each reason says what to do next.
 *
 * A type describes what the API server returns, with defaults filled in. `withDefaults` and `createValidator` do the
 * same without an API server, from the same declaration. A field is declared when it works, not before.
 */
export {
  deployments,
  type Deployment,
  type DeploymentCondition,
  type DeploymentSpec,
  type DeploymentStatus,
  cronJobs,
  type CronJob,
  type CronJobSpec,
  events,
  type Event,
  jobs,
  type Job,
  leases,
  type Lease,
  namespaces,
  type Namespace,
  pods,
  type ContainerState,
  type ContainerStatus,
  type Pod,
  configMaps,
  type ConfigMap,
  secrets,
  type Secret,
} from './builtin.ts'
export { findCondition, keepCondition, setConditions, type WantedCondition, type WantedEvent } from './conditions.ts'
export { buildCrd, maxCrdBytes, describeBounds, describeDefault } from './crd.ts'
export {
  alertChannel,
  alertChannels,
  channelCondition,
  channelEvent,
  channelTypes,
  receiverOf,
  urlSourceOf,
} from './kinds/alert-channel.ts'
export type { AlertChannel, AlertChannelSpec, AlertChannelStatus } from './kinds/alert-channel.ts'
export { alertConditionNames } from './kinds/alert-conditions.ts'
export type { AlertConditionName, WindowedConditionName } from './kinds/alert-conditions.ts'
export type { BlockedReason, BlockedScheduleReason } from './kinds/blocked-condition.ts'
export { alertingType, targetCondition } from './kinds/alerting-condition.ts'
export { kinds } from './kinds/all.ts'
export { apiGroup, apiVersion } from './kinds/kind.ts'
export type { Kind } from './kinds/kind.ts'
export type { JobTemplate, PodTemplate } from './kinds/job-template.ts'
export { overrideAt, overrideOrigin, type Override } from './kinds/override.ts'
export { alertCondition, alertEvent, taskAlert, taskAlerts } from './kinds/task-alert.ts'
export type { TaskAlert, TaskAlertSpec, TaskAlertStatus } from './kinds/task-alert.ts'
export {
  taskBroker,
  taskBrokers,
  type TaskBroker,
  type TaskBrokerSpec,
  type TaskBrokerStatus,
  brokerCondition,
  brokerEvent,
} from './kinds/task-broker.ts'
export {
  taskDependencies,
  taskDependency,
  type TaskDependency,
  type TaskDependencySpec,
  type TaskDependencyStatus,
  type NodeExecutorName,
  dependencyCondition,
  dependencyEvent,
} from './kinds/task-dependency.ts'
export {
  dependencyKeyOf,
  finalStateOf,
  plannedStartMs,
  runSourceOf,
  type RunSourceName,
  taskExecution,
  taskExecutions,
  type TaskExecution,
  type TaskExecutionSpec,
  type TaskExecutionStatus,
  executionCondition,
  executionEvent,
  maxBackfillRuns,
  maxParallelBackfillRuns,
} from './kinds/task-execution.ts'
export {
  taskQueue,
  taskQueues,
  type TaskQueue,
  type TaskQueueSpec,
  type TaskQueueStatus,
  queueCondition,
  queueEvent,
} from './kinds/task-queue.ts'
export { slotStartOf, taskSchedule, taskSchedules, timingMemberOf } from './kinds/task-schedule.ts'
export type { SlotStartName, TaskSchedule, TaskScheduleSpec, TaskScheduleStatus } from './kinds/task-schedule.ts'
export { scheduleCondition, scheduleEvent } from './kinds/task-schedule-reasons.ts'
export { maxPayloadBytes } from './kinds/task-template.ts'
export type { TaskTemplate } from './kinds/task-template.ts'
export { podSourceOf, workerPool, workerPools } from './kinds/worker-pool.ts'
export type { WorkerPool, WorkerPoolSpec, WorkerPoolStatus } from './kinds/worker-pool.ts'
export { poolCondition, poolEvent } from './kinds/worker-pool-reasons.ts'
export { memberOf } from './members.ts'
export type { Member } from './members.ts'
export { apiVersionOf, isTerminating, keysOf, kubeTime, namespaceOf, siblingKey } from './object.ts'
export type { Condition, KubeObject, ObjectMeta, OwnerReference, Resource } from './object.ts'
export type { JsonSchema } from './schema/index.ts'
export { withDefaults, createValidator, type Validate } from './validation/validate.ts'
export type { Problem } from './validation/faults.ts'
