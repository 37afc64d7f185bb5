/**
 * The TaskDependency controller: says whether a graph is sound, and what became of its runs. It runs nothing: a TaskExecution does.
 *
 * Data goes one way: the graph, its TaskBroker and its runs from the caches -> status -> one write where it changed. A graph is looked at when
 * it, its TaskBroker or one of its runs changes.
 */
export { taskDependencyKind } from './kind.ts'
