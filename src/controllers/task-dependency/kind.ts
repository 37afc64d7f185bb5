import { keysOf, siblingKey, type TaskBroker, taskDependencies, type TaskDependency, type TaskExecution } from '../../api/index.ts'
import type { Informer, InformerDeclaration } from '../../kube/index.ts'
import type { Kind } from '../../runtime/index.ts'
import { createTaskDependencyController, type TaskDependencyDeps } from './controller.ts'
import { taskDependencyWatches } from './watches.ts'

const dependencies: InformerDeclaration<TaskDependency, 'byBroker'> = {
  resource: taskDependencies,
  indexes: { byBroker: (dependency) => [siblingKey(dependency, dependency.spec.brokerRef.name)] },
}

type Caches = {
  readonly dependencies: Informer<TaskDependency, 'byBroker'>
  readonly executions: Informer<TaskExecution, 'byDependency'>
  readonly taskBrokers: Informer<TaskBroker>
}
type Deps = Omit<TaskDependencyDeps, keyof Caches> & { readonly caches: Caches }

export const taskDependencyKind = {
  name: 'task-dependency',
  caches: { dependencies },
  keys: ({ caches }) => keysOf(caches.dependencies.list()),
  watches: taskDependencyWatches,
  create: ({ caches, ...deps }) => {
    const { dependencies: graphs, executions, taskBrokers } = caches
    return createTaskDependencyController({ ...deps, dependencies: graphs, executions, taskBrokers })
  },
} satisfies Kind<Deps>
