import { findCondition, finalStateOf, type OwnerReference, type TaskExecution } from '../../api/index.ts'
import type { Clock } from '../../clock/index.ts'
import { annotations, labels, nodeJobId } from '../../contract/index.ts'
import { type NodeEnd, noteRemoved, type Removal, type Run, type RunTemplate } from '../../graph/index.ts'
import type { Informer } from '../../kube/index.ts'
import type { NewExecution } from '../../plans/index.ts'
import { type ExecutionCreation, type ExecutionRef, type Executions, hasBegun, isGoing } from '../executions/index.ts'
import { jobNamed } from '../jobs/index.ts'
import type { Whereabout } from '../tracking/index.ts'
import type { LookedAtNodes } from './node-jobs.ts'
import { activeNodes, isPlacedIn, specOf } from './node-queue-jobs.ts'

type Call = { readonly signal: AbortSignal }

/**
 * The nodes of one run that are runs of other graphs: TaskExecutions that this one owns, so that they go with it.
 *
 * Guarantees: all effects are idempotent by the id of the node and of the object that began the run. If the log says that a TaskExecution was
 * there, and it is gone before it ended, its node has failed: it is not created again.
 */
export type NodeRuns = {
  /** Looks at the TaskExecutions of nodes that have begun. */
  look(run: Run, call: Call): Promise<LookedAtNodes>
  /** One answer for each, in order. */
  place(
    run: Run,
    nodes: readonly { readonly name: string; readonly run: RunTemplate }[],
    call: Call,
  ): Promise<readonly { readonly node: string; readonly answer: ExecutionCreation }[]>
  /** Its own nodes end by themselves afterwards; nobody waits for them. */
  remove(run: Run, node: string, call: Call): Promise<Removal>
  /** TaskExecutions of final nodes that came late, and still run. */
  findUntidy(run: Run): readonly TaskExecution[]
  tidy(run: Run, untidy: readonly TaskExecution[], call: Call): Promise<void>
  /** Whether there may be such, if all nodes are final. */
  hasUntidy(): boolean
  /** The name of the TaskExecution of a node, if that is what runs there. */
  nameOf(run: Run, node: string): string | undefined
  /** By node: how the TaskExecutions of nodes that have begun are getting on. */
  whereabouts(run: Run): ReadonlyMap<string, Whereabout>
}

export type NodeRunsDeps = {
  readonly executions: Executions
  readonly cache: Pick<Informer<TaskExecution, 'byStarter'>, 'get' | 'byIndex'>
  /** `runName(installation, namespace, name)`. */
  readonly run: string
  /** The TaskExecution whose nodes they are. */
  readonly namespace: string
  readonly execution: string
  readonly owner: OwnerReference
  readonly clock: Pick<Clock, 'monotonicNow'>
  readonly reachPoint: (point: string) => void
}

/** How long the cache may lag behind a creation of this process before the API server is asked. */
const cacheLagMs = 10_000

/** For an index over TaskExecutions: the name of the one whose node it runs. */
export function starterOfRun({ metadata }: TaskExecution): string | undefined {
  return metadata.labels?.[labels.startedBy] === 'TaskExecution' ? metadata.labels[labels.execution] : undefined
}

export function createNodeRuns(deps: NodeRunsDeps): NodeRuns {
  const { executions, cache, namespace, execution, owner, clock, reachPoint } = deps
  /** When this process created those that the cache has not shown yet, by name. */
  const created = new Map<string, number>()
  /** UIDs of those that were cancelled or had ended, which the cache may not show yet. */
  const cancelled = new Set<string>()

  function refOf(run: Run, node: string): ExecutionRef {
    const id = idOf(run, node)
    return {
      name: jobNamed(namespace, [execution, node], id).name,
      of: 'node',
      isOurs: ({ metadata }) => metadata.annotations?.[annotations.jobId] === id,
    }
  }
  const idOf = (run: Run, node: string) => nodeJobId(deps.run, run.begun?.token ?? '', node)

  function cached(run: Run, node: string): TaskExecution | undefined {
    const ref = refOf(run, node)
    const object = cache.get(`${namespace}/${ref.name}`)
    return object !== undefined && ref.isOurs(object) ? object : undefined
  }

  const lagLeftMs = (name: string): number => (created.get(name) ?? -Infinity) + cacheLagMs - clock.monotonicNow()

  const started = () => cache.byIndex('byStarter', `${namespace}/${execution}`)
  const isUntidy = (object: TaskExecution): boolean =>
    finalStateOf(object) === undefined &&
    !isGoing(object) &&
    object.spec.desiredState !== 'Cancelled' &&
    !cancelled.has(object.metadata.uid ?? '')

  return {
    async look(run, call) {
      const active = activeNodes(run, 'Executions').map((each) => ({ ...each, ref: refOf(run, each.name), shown: cached(run, each.name) }))
      for (const { ref, shown } of active) if (shown !== undefined) created.delete(ref.name)
      const isNew = ({ ref }: (typeof active)[number]): boolean => lagLeftMs(ref.name) > 0
      const ends = await Promise.all(
        active
          .filter((each) => !isNew(each))
          .map(async ({ name, isStopping, hadEnded, ref, shown }): Promise<NodeEnd | undefined> => {
            const object = shown ?? (await executions.read(ref, call))
            // That it was cancelled is what stopping its node does, and no end of its own.
            if (object !== undefined && isStopping && finalStateOf(object) === 'Cancelled') return undefined
            if (object !== undefined && !isGoing(object)) return endOf(name, object)
            if (!isStopping) return removed(name, ref)
            // Its end is lost.
            if (hadEnded) noteRemoved(run, name, 'Absent')
            return undefined
          }),
      )
      const lags = active.filter(isNew).map(({ ref }) => lagLeftMs(ref.name))
      return { ends: ends.filter((end) => end !== undefined), againAfterMs: lags.length === 0 ? undefined : Math.min(...lags) }
    },
    async place(run, nodes, call) {
      reachPoint('before create execution')
      const answers = await Promise.all(
        nodes.map(async ({ name: node, run: template }) => {
          const slot = specOf(run, node)?.slot
          const ref = refOf(run, node)
          const wanted: NewExecution = {
            metadata: {
              name: ref.name,
              namespace,
              labels: { [labels.startedBy]: 'TaskExecution', [labels.execution]: execution, [labels.node]: node },
              annotations: { [annotations.jobId]: idOf(run, node) },
              ownerReferences: [owner],
            },
            spec: {
              dependencyRef: { name: template.dependency },
              ...(template.parameters === undefined ? {} : { parameters: template.parameters }),
              ...(slot === undefined ? {} : { slotTime: slot }),
              desiredState: 'Running',
            },
          }
          const answer = await executions.create(ref, wanted, call)
          if (answer.kind === 'There' && cached(run, node) === undefined) created.set(ref.name, clock.monotonicNow())
          return { node, answer }
        }),
      )
      reachPoint('after create execution')
      return answers
    },
    async remove(run, node, call) {
      const uid = cached(run, node)?.metadata.uid
      const answer = await executions.cancel(refOf(run, node), call)
      if (answer === 'Cancelled' && uid !== undefined) cancelled.add(uid)
      if (answer === 'Cancelled') return 'Removed'
      if (answer !== 'Ended') return answer
      // The process before this one may have cancelled it.
      const object = await executions.read(refOf(run, node), call)
      return object === undefined || finalStateOf(object) === 'Cancelled' ? 'Removed' : 'Ended'
    },
    findUntidy(run) {
      return started().filter((object) => {
        const node = nodeOf(object)
        const index = run.state?.graph.indexOf.get(node) ?? -1
        return run.state?.node(index).phase === 'Final' && refOf(run, node).isOurs(object) && isUntidy(object)
      })
    },
    async tidy(run, untidy, call) {
      await Promise.all(
        untidy.map(async (object) => {
          await executions.cancel(refOf(run, nodeOf(object)), call)
          // Whatever the answer: nothing is left to do about it.
          cancelled.add(object.metadata.uid ?? '')
        }),
      )
    },
    hasUntidy: () => started().some(isUntidy),
    nameOf: (run, node) => (isPlacedIn(run, node, 'Executions') ? refOf(run, node).name : undefined),
    whereabouts: (run) =>
      new Map(
        activeNodes(run, 'Executions')
          .filter(({ isStopping }) => !isStopping)
          .map(({ name }) => [name, whereaboutOf(cached(run, name), refOf(run, name))] as const),
      ),
  }
}

function nodeOf({ metadata }: TaskExecution): string {
  return metadata.labels?.[labels.node] ?? ''
}

function whereaboutOf(object: TaskExecution | undefined, { name }: ExecutionRef): Whereabout {
  const blocked = findCondition(object?.status?.conditions, 'Blocked')
  if (blocked !== undefined) {
    return {
      words: `blocked (${blocked.reason})`,
      detail: `tex/${name}: ${blocked.message}`,
      blocked: blocked.reason as Whereabout['blocked'],
    }
  }
  if (object !== undefined && hasBegun(object)) return { words: 'running', detail: `tex/${name} is running` }
  const why = findCondition(object?.status?.conditions, 'Succeeded')?.message
  return { words: 'starting', detail: `tex/${name} is starting${why === undefined ? '' : `: ${why}`}` }
}

function endOf(node: string, object: TaskExecution): NodeEnd | undefined {
  const reason = finalStateOf(object)
  if (reason === undefined) return undefined
  const { failureMessage, startTime, finishTime } = object.status ?? {}
  const outcome = reason === 'Succeeded' || reason === 'Skipped' ? 'Succeeded' : 'Failed'
  const said = [`tex/${object.metadata.name}`, ...(failureMessage === undefined ? [] : [failureMessage])].join(': ')
  return {
    node,
    outcome,
    reason,
    ...(outcome === 'Succeeded' ? {} : { message: said }),
    ...(startTime === undefined ? {} : { startedAtMs: Date.parse(startTime) }),
    ...(finishTime === undefined ? {} : { finishedAtMs: Date.parse(finishTime) }),
  }
}

function removed(node: string, { name }: ExecutionRef): NodeEnd {
  const message = `tex/${name} was deleted before its end was recorded, which cancels the run`
  return { node, outcome: 'Failed', reason: 'ExecutionRemoved', message }
}
