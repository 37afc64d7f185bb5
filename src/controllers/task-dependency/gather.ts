/** Reads what is to be known of one graph: what it means, what the API server says to its Jobs, its TaskBroker and its runs. */
import { siblingKey, type TaskBroker, type TaskDependency, type TaskDependencyStatus, type TaskExecution } from '../../api/index.ts'
import type { Clock } from '../../clock/index.ts'
import { describeRemedy, placeRefusal, type Refusal } from '../../errors/index.ts'
import type { Informer } from '../../kube/index.ts'
import { type Fault, understandDependency, type UnderstoodDependency } from '../../plans/index.ts'
import type { Jobs } from '../../services/jobs/index.ts'

export type World = {
  readonly dependency: TaskDependency
  /** The status that was written last. */
  readonly status: TaskDependencyStatus | undefined
  readonly shape: Shape
  /** What the API server says to the templates of Jobs. */
  readonly trials: Trials
  /** When the templates to which the API server has not said anything are tried again. */
  readonly tryAgainAtMs: number | undefined
  readonly hasBroker: boolean
  /** The TaskExecutions of the graph that exist. */
  readonly runs: readonly TaskExecution[]
  readonly nowMs: number
}

/** What is said of a graph that was understood, without all that was compiled of it: that is made anew for each of its runs. */
export type Shape =
  { readonly ok: true; readonly nodes: number; readonly edges: number } | Extract<UnderstoodDependency, { readonly ok: false }>

/** What the API server says to the templates of a graph's Kubernetes Jobs. */
export type Trials = {
  readonly faults: readonly Fault<'TemplateInvalid'>[]
  readonly warnings: readonly string[]
  /** It has said something to each. */
  readonly isComplete: boolean
}

export type GatherDeps = {
  readonly executions: Pick<Informer<TaskExecution, 'byDependency'>, 'byIndex'>
  readonly taskBrokers: Pick<Informer<TaskBroker>, 'get'>
  readonly jobs: Pick<Jobs, 'dryRun'>
  readonly clock: Clock
}

export type Gather = {
  read(
    key: string,
    dependency: TaskDependency,
    status: TaskDependencyStatus | undefined,
    call: { readonly signal: AbortSignal },
  ): Promise<World>
  forget(key: string): void
}

/** What is remembered of one version of a graph. */
type Memory = { readonly version: string; readonly shape: Shape; trials: Trials; tryAgainAtMs?: number }

const nothingTried: Trials = { faults: [], warnings: [], isComplete: false }
/** The pause after an attempt in which the API server said nothing to a template. */
const tryAgainMs = 30_000
/** As many templates are tried at once. */
const atOnce = 10

/** Compiles a graph and tries its templates once per generation. */
export function createGather({ executions, taskBrokers, jobs, clock }: GatherDeps): Gather {
  const memories = new Map<string, Memory>()

  function remember(key: string, dependency: TaskDependency): Memory {
    const version = `${dependency.metadata.uid}/${dependency.metadata.generation}`
    const known = memories.get(key)
    if (known?.version === version) return known
    const memory: Memory = { version, shape: shapeOf(understandDependency(dependency)), trials: nothingTried }
    memories.set(key, memory)
    return memory
  }

  return {
    async read(key, dependency, status, { signal }) {
      const memory = remember(key, dependency)
      const isToTry = memory.shape.ok && !memory.trials.isComplete
      if (isToTry && clock.now() >= (memory.tryAgainAtMs ?? 0)) {
        memory.trials = await tryJobs(jobs, dependency, signal)
        memory.tryAgainAtMs = clock.now() + tryAgainMs
      }
      const { shape, trials, tryAgainAtMs } = memory
      return {
        dependency,
        status,
        shape,
        trials,
        tryAgainAtMs: shape.ok && !trials.isComplete ? tryAgainAtMs : undefined,
        hasBroker: taskBrokers.get(siblingKey(dependency, dependency.spec.brokerRef.name)) !== undefined,
        runs: executions.byIndex('byDependency', key),
        nowMs: clock.now(),
      }
    },
    forget: (key) => void memories.delete(key),
  }
}

function shapeOf(understood: UnderstoodDependency): Shape {
  if (!understood.ok) return understood
  const { nodes } = understood.graph
  return { ok: true, nodes: nodes.length, edges: nodes.reduce((sum, { upstream }) => sum + upstream.length, 0) }
}

/** Makes one request for each template, which creates nothing. An expression in it is sent as it stands: it is allowed only where any text is. */
export async function tryJobs(jobs: Pick<Jobs, 'dryRun'>, { metadata, spec }: TaskDependency, signal: AbortSignal): Promise<Trials> {
  const nodes = [...spec.nodes.map(fieldIn('nodes')), ...(spec.finally ?? []).map(fieldIn('finally'))]
  const templates = nodes.flatMap(({ job, ...node }) => (job === undefined ? [] : [{ job, ...node }]))
  const faults: Fault<'TemplateInvalid'>[] = []
  const warnings: string[] = []
  let isComplete = true
  for (let start = 0; start < templates.length; start += atOnce) {
    const some = templates.slice(start, start + atOnce)
    const answers = await Promise.all(some.map(({ job }) => jobs.dryRun(metadata.namespace ?? '', job, { signal })))
    for (const [index, { name, field }] of some.entries()) {
      const answer = answers[index]
      if (answer?.kind === 'Invalid') faults.push(...faultsIn(answer.refusal, field))
      else warnings.push(...(answer?.warnings ?? []).map((text) => `node ${name}: ${text}`))
      if (answer?.kind === 'Unknown') isComplete = false
    }
  }
  return { faults, warnings, isComplete }
}

/** Each with the field of the TaskDependency; `job`: where the template stands in it. */
function faultsIn(refusal: Refusal, job: string): readonly Fault<'TemplateInvalid'>[] {
  return placeRefusal(refusal, (field) => `${job}.${field}`).problems.map((problem) => {
    const field = problem.field ?? job
    const message = `${problem.message}. Next: ${describeRemedy({ ...refusal, problems: [{ ...problem, field }] })}`
    return { reason: 'TemplateInvalid', field, message }
  })
}

function fieldIn(list: string) {
  return ({ name, job }: TaskDependency['spec']['nodes'][number], index: number) => ({ name, job, field: `spec.${list}[${index}].job` })
}
