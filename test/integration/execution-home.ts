/** What the tests of runs need besides the home of schedules: runs and graphs as people write them, and what is read of them. */
import { expect } from 'vitest'
import { run } from '../../hack/cluster/command.ts'
import {
  findCondition,
  type KubeObject,
  type Resource,
  taskDependencies,
  taskExecutions,
  type TaskDependency,
  type TaskExecution,
} from '../../src/api/index.ts'
import { tools } from '../chart/helm.ts'
import { observe } from '../support/cluster-client.ts'
import { createDependency, createExecution } from '../support/manifests.ts'
import { scheduleHome, type ScheduleHome } from './schedule-home.ts'

export type ExecutionHome = ScheduleHome & {
  execute(name: string, spec: object): Promise<TaskExecution>
  graph(name: string, spec: object): Promise<TaskDependency>
  /** Resolves with the first state of the run that satisfies `holds`. */
  execution(name: string, holds: (object: TaskExecution) => boolean): Promise<TaskExecution>
  dependency(name: string, holds: (object: TaskDependency) => boolean): Promise<TaskDependency>
  kubectl(...args: readonly string[]): Promise<string>
  /** Deletes all objects of these kinds in the namespace, in this order, until there are none: a schedule may have started another run meanwhile. */
  deleteAll(resources: readonly Resource<KubeObject>[]): Promise<void>
}

export async function executionHome(...options: Parameters<typeof scheduleHome>): Promise<ExecutionHome> {
  const home = await scheduleHome(...options)
  const { client, namespace, cluster } = home
  return Object.assign(home, {
    execute: (name: string, spec: object) => createExecution(client, namespace, name, spec),
    graph: (name: string, spec: object) => createDependency(client, namespace, name, spec),
    async execution(name: string, holds: (object: TaskExecution) => boolean) {
      const found = await observe(client, taskExecutions, { namespace, name }, (object) => object !== undefined && holds(object))
      if (found === undefined) throw new Error(`no run ${name}`)
      return found
    },
    async dependency(name: string, holds: (object: TaskDependency) => boolean) {
      const found = await observe(client, taskDependencies, { namespace, name }, (object) => object !== undefined && holds(object))
      if (found === undefined) throw new Error(`no graph ${name}`)
      return found
    },
    async deleteAll(resources: readonly Resource<KubeObject>[]) {
      const deleteOnce = async () => {
        let count = 0
        for (const resource of resources) {
          const { items } = await client.list(resource, { namespace })
          count += items.length
          // What has expired meanwhile is gone already.
          await Promise.allSettled(items.map(({ metadata }) => client.delete(resource, namespace, metadata.name)))
        }
        return count
      }
      await expect.poll(deleteOnce, { timeout: 30_000 }).toBe(0)
    },
    kubectl: (...args: readonly string[]) => run(tools.kubectl, ['--kubeconfig', cluster.kubeconfig, '--namespace', namespace, ...args]),
  })
}

export const ended = ({ status }: TaskExecution): boolean =>
  status?.state !== undefined && status.state !== 'Pending' && status.state !== 'Running'

export function conditionOf(
  { status }: TaskExecution | TaskDependency,
  type: string,
): { status: string; reason: string; message: string } | undefined {
  const condition = findCondition(status?.conditions, type)
  return condition === undefined ? undefined : { status: condition.status, reason: condition.reason, message: condition.message }
}

/** `name state`, in the order of the table. */
export function nodesOf({ status }: TaskExecution): readonly string[] {
  return (status?.nodes ?? []).map(({ name, state }) => `${name} ${state}`)
}
