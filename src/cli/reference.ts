/** The objects that commands are about: how people name them, and how they are found. */
import {
  taskAlert,
  taskAlerts,
  taskDependencies,
  taskDependency,
  taskExecution,
  taskExecutions,
  taskQueue,
  taskQueues,
  taskSchedule,
  taskSchedules,
  workerPool,
  workerPools,
  type Resource,
  type TaskAlert,
  type TaskDependency,
  type TaskExecution,
  type TaskQueue,
  type TaskSchedule,
  type WorkerPool,
} from '../api/index.ts'
import { suggestName, hasCode, UsageError } from '../errors/index.ts'
import { CommandError } from './arguments.ts'
import type { Context } from './command.ts'

type Objects = {
  readonly WorkerPool: WorkerPool
  readonly TaskSchedule: TaskSchedule
  readonly TaskQueue: TaskQueue
  readonly TaskDependency: TaskDependency
  readonly TaskExecution: TaskExecution
  readonly TaskAlert: TaskAlert
}
export type KindName = keyof Objects
export type ObjectOf<K extends KindName> = Objects[K]
export type Reference<K extends KindName = KindName> = { readonly kind: K; readonly name: string; readonly shown: string }

const declarations = {
  WorkerPool: workerPool,
  TaskSchedule: taskSchedule,
  TaskQueue: taskQueue,
  TaskDependency: taskDependency,
  TaskExecution: taskExecution,
  TaskAlert: taskAlert,
} as const

const resources: { readonly [K in KindName]: Resource<Objects[K]> } = {
  WorkerPool: workerPools,
  TaskSchedule: taskSchedules,
  TaskQueue: taskQueues,
  TaskDependency: taskDependencies,
  TaskExecution: taskExecutions,
  TaskAlert: taskAlerts,
}

export function resourceOf<K extends KindName>(kind: K): Resource<Objects[K]> {
  return resources[kind]
}

/** `tsch/backup`, as kubectl names it in short. */
export function formatReference(kind: KindName, name: string): string {
  return `${declarations[kind].shortNames[0]}/${name}`
}

/** `wp/email`, `workerpool/email`, `TaskSchedule/backup`. */
export function parseReference<const K extends KindName>(text: string | undefined, allowed: readonly K[]): Reference<K> {
  const examples = allowed.map((kind) => formatReference(kind, 'NAME')).join(' or ')
  const [kindName = '', name = '', ...more] = (text ?? '').split('/')
  if (text === undefined) throw new UsageError(`missing name: ${examples}`)
  if (name === '' || more.length > 0) throw new UsageError(`"${text}" is not an object: write ${examples}`)
  const asked = kindName.toLowerCase()
  const kind = allowed.find((each) => namesOf(each).includes(asked))
  if (kind === undefined) {
    const isKnown = Object.keys(declarations).some((each) => namesOf(each as KindName).includes(asked))
    const meant = isKnown ? '' : suggestName(kindName, allowed.flatMap(namesOf))
    throw new UsageError(`"${kindName}" cannot be used here${meant === '' ? ': write' : `${meant} Write`} ${examples}`)
  }
  return { kind, name, shown: formatReference(kind, name) }
}

function namesOf(kind: KindName): readonly string[] {
  const { singular, plural, shortNames } = declarations[kind]
  return [...shortNames, singular, plural]
}

/** The object, or in words what keeps it from being found. */
export async function readObject<K extends KindName>(context: Context, { kind, name }: Reference<K>): Promise<Objects[K]> {
  const { client, namespace, where, stop: signal } = context
  const resource = resourceOf(kind)
  try {
    return await client.get(resource, namespace, name, { signal })
  } catch (error) {
    if (!hasCode(error, 'TM_KUBE_NOT_FOUND')) throw error
    const meant = suggestName(name, await listNames(context, kind))
    const none = `there is no ${kind} "${name}" in namespace "${namespace}"${meant === '' ? '.' : meant}`
    throw new CommandError(`${none} Next: kubectl get ${resource.plural}${where}`)
  }
}

/** The names that there are instead; none where they may not be listed. */
async function listNames({ client, namespace, stop: signal }: Context, kind: KindName): Promise<readonly string[]> {
  const resource: Resource<Objects[KindName]> = resourceOf(kind)
  try {
    const { items } = await client.list(resource, { namespace, limit: 500, signal })
    return items.map(({ metadata }) => metadata.name)
  } catch (error) {
    if (hasCode(error, 'TM_KUBE_NOT_FOUND')) {
      throw new CommandError(`this cluster has no ${resource.plural}: Taskmill is not installed there, or --context names another cluster`)
    }
    return []
  }
}
