import { dependencyKeyOf, keysOf, type TaskBroker, type TaskDependency, type TaskExecution } from '../../api/index.ts'
import type { Informer } from '../../kube/index.ts'
import { watch, watchSpecs, type Watch } from '../../runtime/index.ts'

export type TaskDependencySources = {
  readonly caches: {
    readonly dependencies: Pick<Informer<TaskDependency, 'byBroker'>, 'onChange' | 'byIndex'>
    readonly executions: Pick<Informer<TaskExecution>, 'onChange'>
    readonly taskBrokers: Pick<Informer<TaskBroker>, 'onChange'>
  }
}

export function taskDependencyWatches({ caches }: TaskDependencySources): readonly Watch[] {
  return [
    watch('TaskDependencies', caches.dependencies, (key) => [key]),
    watch('TaskExecutions', caches.executions, (_, current, previous) => {
      const run = current ?? previous
      const dependency = run && dependencyKeyOf(run)
      return dependency === undefined ? [] : [dependency]
    }),
    watchSpecs('TaskBrokers', caches.taskBrokers, (broker) => keysOf(caches.dependencies.byIndex('byBroker', broker))),
  ]
}
