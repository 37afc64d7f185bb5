/** The nodes of a run that are jobs of a queue: how a job is made from a node, and what its end means. Pure. */
import type { JobTemplate, TaskTemplate } from '../../api/index.ts'
import { maxPayloadBytes } from '../../api/index.ts'
import type { EndedNode, PlacedJob, PlacedRef } from '../../broker/index.ts'
import { nodeJobId } from '../../contract/index.ts'
import {
  type Effect,
  executorOf,
  type ExecutorName,
  type NodeEnd,
  type PlanNode,
  type Refusal,
  type Run,
  type RunTemplate,
} from '../../graph/index.ts'

/** Names of a run in the broker: `run` is `runName(installation, namespace, name)`. */
export type RunPlace = { readonly run: string; readonly doneQueue: string }

export function jobIdOf({ run }: RunPlace, { begun }: Run, node: string): string {
  return nodeJobId(run, begun?.token ?? '', node)
}

export function refOf(place: RunPlace, run: Run, node: string): PlacedRef {
  return { id: jobIdOf(place, run, node), doneQueue: place.doneQueue, queue: specOf(run, node)?.task?.queue ?? '' }
}

/** Why the job can never be placed; undefined: it can. */
function refusalOf(task: TaskTemplate): Refusal | undefined {
  const bytes = Buffer.byteLength(JSON.stringify(task.payload ?? {}))
  if (bytes <= maxPayloadBytes) return undefined
  const message = `its payload has ${bytes} bytes as JSON, but at most ${maxPayloadBytes} are allowed. Next: store the data elsewhere and pass a reference`
  return { reason: 'PayloadTooLarge', message }
}

/** `dueAtMs` is of the broker's clock. */
export function jobOf(place: RunPlace, run: Run, node: string, task: TaskTemplate, dueAtMs: number): PlacedJob {
  const { maxRetries, initialDelaySeconds } = task.retry
  return {
    id: jobIdOf(place, run, node),
    doneQueue: place.doneQueue,
    done: { v: 1, run: place.run, token: run.begun?.token ?? '', node },
    queue: task.queue,
    name: task.type,
    data: task.payload ?? {},
    dueAtMs,
    attempts: maxRetries + 1,
    ...(maxRetries === 0 ? {} : { backoffMs: initialDelaySeconds * 1000 }),
    ...(task.priority === undefined ? {} : { bullPriority: 101 - task.priority }),
  }
}

export function endOf(job: EndedNode): NodeEnd {
  const { node, outcome, result, resultBytes, attemptsMade, attempts, worker, startedAtMs, finishedAtMs } = job
  const reasons = { Succeeded: 'Succeeded', Failed: 'AttemptsExhausted', Removed: 'JobRemoved' } as const
  const said = [
    outcome === 'Removed' ? 'someone removed its job from the queue before it ended' : job.message,
    resultBytes === undefined ? undefined : `its result of ${resultBytes} bytes was dropped`,
  ].filter((each) => each !== undefined)
  return {
    node,
    outcome: outcome === 'Succeeded' ? 'Succeeded' : 'Failed',
    reason: reasons[outcome],
    ...(said.length === 0 ? {} : { message: said.join('; ') }),
    ...(result === undefined ? {} : { result }),
    ...(attemptsMade === undefined ? {} : { attemptsMade }),
    ...(attempts === undefined ? {} : { attempts }),
    ...(worker === undefined ? {} : { worker }),
    ...(startedAtMs === undefined ? {} : { startedAtMs }),
    ...(finishedAtMs === undefined ? {} : { finishedAtMs }),
  }
}

/** The job is gone, and so is the job that would tell of its end. */
export function vanishedEnd(node: string): NodeEnd {
  return { node, outcome: 'Failed', reason: 'JobRemoved', message: 'its job is gone, and its end was never recorded' }
}

/** The nodes whose jobs were placed in queues, and whose ends are awaited. `isStopping`: it had ended when it was to be stopped. */
export function awaitedTasks({
  state,
  active,
  unplaced,
  removed,
}: Run): readonly { readonly name: string; readonly isStopping: boolean }[] {
  return [...active].flatMap((index) => {
    const spec = state?.graph.nodes[index]?.spec
    const isStopping = removed.get(index) === 'Ended'
    const isPlaced = !unplaced.has(index) && state?.node(index).phase === 'Started'
    return spec?.task !== undefined && (isPlaced || isStopping) ? [{ name: spec.name, isStopping }] : []
  })
}

export type TaskPlacement = { readonly kind: 'Queue'; readonly name: string; readonly task: TaskTemplate }
type JobPlacement = { readonly kind: 'Kubernetes'; readonly name: string; readonly job: JobTemplate }
type RunPlacement = { readonly kind: 'Executions'; readonly name: string; readonly run: RunTemplate }
type RefusedPlacement = { readonly kind: 'Refused'; readonly name: string; readonly refusal: Refusal }

/** Where the effect of a node is placed, and what. An executor that is missing does not compile. */
export function placementOf({
  name,
  ...effect
}: { readonly name: string } & Effect): TaskPlacement | JobPlacement | RunPlacement | RefusedPlacement {
  const executor = executorOf(effect)
  switch (executor.kind) {
    case 'task': {
      const refusal = refusalOf(executor.template)
      return refusal === undefined ? { kind: 'Queue', name, task: executor.template } : { kind: 'Refused', name, refusal }
    }
    case 'job':
      return { kind: 'Kubernetes', name, job: executor.template }
    case 'run':
      return { kind: 'Executions', name, run: executor.template }
  }
}

type Place = 'Queue' | 'Kubernetes' | 'Executions'

/** Where an executor runs a node. An executor that is missing does not compile; `remove` in runs.ts has a branch for each place. */
const places: Readonly<Record<ExecutorName, Place>> = {
  task: 'Queue',
  job: 'Kubernetes',
  run: 'Executions',
}

export function placeOf(spec: PlanNode): Place {
  return places[executorOf(spec).kind]
}

export function specOf({ state }: Run, node: string) {
  return state?.graph.nodes[state.graph.indexOf.get(node) ?? -1]?.spec
}

/** Whether that is where the node runs. */
export function isPlacedIn(run: Run, node: string, place: Place): boolean {
  const spec = specOf(run, node)
  return spec !== undefined && placeOf(spec) === place
}

type ActiveNode = {
  readonly name: string
  readonly isStopping: boolean
  /** When it was to be stopped. */
  readonly hadEnded: boolean
}

/** Nodes of one place that have begun, and are known to have or to have had an object there. */
export function activeNodes({ state, active, unplaced, removed }: Run, place: Place): readonly ActiveNode[] {
  return [...active].flatMap((index) => {
    const spec = state?.graph.nodes[index]?.spec
    if (spec === undefined || placeOf(spec) !== place || unplaced.has(index)) return []
    return [{ name: spec.name, isStopping: state?.node(index).phase === 'Stopping', hadEnded: removed.get(index) === 'Ended' }]
  })
}

/** Whether the node has begun and has not ended. */
export function isActive({ state, active }: Run, node: string): boolean {
  return active.has(state?.graph.indexOf.get(node) ?? -1)
}
