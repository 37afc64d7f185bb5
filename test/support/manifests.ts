import type { TaskBroker, TaskDependency, TaskExecution, TaskQueue, TaskSchedule, WorkerPool } from '../../src/api/index.ts'
import type { KubeClient } from '../../src/kube/index.ts'
import { taskBrokers, taskDependencies, taskExecutions, taskQueues, taskSchedules, workerPools } from '../../src/api/index.ts'

type Deep<T> = T extends readonly unknown[] ? T : T extends object ? { readonly [K in keyof T]?: Deep<T[K]> } : T

/** A TaskBroker as a person writes it: without what the schema fills in. */
export async function createBroker(client: KubeClient, namespace: string, address: string, name = 'default'): Promise<TaskBroker> {
  const broker = { metadata: { namespace, name }, spec: { standalone: { address } } }
  return client.create(taskBrokers, broker as unknown as TaskBroker, { fieldManager: 'test', fieldValidation: 'Strict' })
}

/** A WorkerPool as a person writes it. */
export async function createPool(
  client: KubeClient,
  namespace: string,
  name: string,
  spec: Deep<WorkerPool['spec']> & { readonly queues: readonly { readonly name: string }[] },
): Promise<WorkerPool> {
  const template = { spec: { containers: [{ name: 'worker', image: 'localhost/none:1' }] } }
  const pool = { metadata: { namespace, name }, spec: { template, ...spec } }
  return client.create(workerPools, pool as unknown as WorkerPool, { fieldManager: 'test', fieldValidation: 'Strict' })
}

/** A TaskQueue as a person writes it. */
export async function createQueue(client: KubeClient, namespace: string, name: string, spec: Deep<TaskQueue['spec']>): Promise<TaskQueue> {
  const queue = { metadata: { namespace, name }, spec }
  return client.create(taskQueues, queue as unknown as TaskQueue, { fieldManager: 'test', fieldValidation: 'Strict' })
}

/** A TaskSchedule as a person writes it. */
export async function createSchedule(
  client: KubeClient,
  namespace: string,
  name: string,
  spec: Deep<TaskSchedule['spec']>,
): Promise<TaskSchedule> {
  const schedule = { metadata: { namespace, name }, spec }
  return client.create(taskSchedules, schedule as unknown as TaskSchedule, { fieldManager: 'test', fieldValidation: 'Strict' })
}

/** A TaskDependency as a person writes it. */
export async function createDependency(client: KubeClient, namespace: string, name: string, spec: object): Promise<TaskDependency> {
  const dependency = { metadata: { namespace, name }, spec }
  return client.create(taskDependencies, dependency as unknown as TaskDependency, { fieldManager: 'test', fieldValidation: 'Strict' })
}

/** A TaskExecution as a person writes it. */
export async function createExecution(client: KubeClient, namespace: string, name: string, spec: object): Promise<TaskExecution> {
  const execution = { metadata: { namespace, name }, spec }
  return client.create(taskExecutions, execution as unknown as TaskExecution, { fieldManager: 'test', fieldValidation: 'Strict' })
}
