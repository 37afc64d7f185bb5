import type { BlockedReason, Job, JobTemplate, OwnerReference } from '../../api/index.ts'
import { labels, nodeJobId } from '../../contract/index.ts'
import { type NodeEnd, noteRemoved, type Removal, type Run } from '../../graph/index.ts'
import type { Logger } from '../../observability/index.ts'
import { endOfJob, isAcknowledged, isJobFor, hasUnreadyPods } from '../../workloads/index.ts'
import type { KillPointHook } from '../engine/index.ts'
import { type Creation, jobNamed, type JobRef, type Jobs, type PodLook, type Starter } from '../jobs/index.ts'
import { activeNodes, isPlacedIn } from './node-queue-jobs.ts'

/** The Jobs, or TaskExecutions, of a run at one moment: ends to record, and when to look again for those that the cache does not show yet. */
export type LookedAtNodes = { readonly ends: readonly NodeEnd[]; readonly againAfterMs?: number | undefined }

type Call = { readonly signal: AbortSignal }

/** A column and a table of nodes have room for these. */
const mostShown = 10

/**
 * The nodes of one run that are Kubernetes Jobs: the effects that `RunStep` asks for, and what is known of them.
 *
 * Guarantees: all effects are idempotent by the id of the node and of the object that began the run. If the log says that a Job was there,
 * and it is gone before it ended, its node has failed: the Job is not created again.
 */
export type NodeJobs = {
  /** Looks at the Jobs of nodes that have begun. */
  look(run: Run, call: Call): Promise<LookedAtNodes>
  /** One answer for each, in order. */
  place(
    run: Run,
    nodes: readonly { readonly name: string; readonly job: JobTemplate }[],
    call: Call,
  ): Promise<readonly { readonly node: string; readonly answer: Creation }[]>
  remove(run: Run, node: string, call: Call): Promise<Removal>
  /** Jobs of final nodes that have to be tidied up: one that runs came late; the end of another is recorded, and it has no TTL yet. */
  findUntidy(run: Run): readonly Job[]
  tidy(run: Run, untidy: readonly Job[], call: Call): Promise<void>
  /** Whether there may be such Jobs, if all nodes are final. */
  hasUntidy(): boolean
  /** The name of the Job of a node, if that is what runs there. */
  nameOf(run: Run, node: string): string | undefined
  /** The progress of the Jobs whose nodes have begun, for people; of a run with many only the first ones. */
  observeProgress(run: Run, call: Call & { readonly log: Logger }): Promise<JobsProgress>
}

/**
 * `isUp`: its pods run. `isUnknown`: it was not looked yet at what is wrong. `words` and `reason` name what is wrong; `warnings` are the API
 * server's, from when it accepted the Job.
 */
export type JobProgress = {
  readonly node: string
  readonly job: string
  readonly isUp: boolean
  readonly isUnknown?: true | undefined
  readonly words?: string | undefined
  readonly reason?: string | undefined
  readonly blocked?: BlockedReason | undefined
  readonly warnings: readonly string[]
}
export type JobsProgress = { readonly jobs: readonly JobProgress[]; readonly againAfterMs?: number | undefined }

export type NodeJobsDeps = {
  readonly jobs: Jobs
  /** `runName(installation, namespace, name)`. */
  readonly run: string
  /** The TaskExecution. */
  readonly namespace: string
  readonly execution: string
  /** Undefined: it is gone. */
  readonly owner?: OwnerReference | undefined
  /** Whether a TaskDependency has the templates; otherwise there is one, in the TaskExecution or TaskSchedule. */
  readonly isOfGraph?: (() => boolean) | undefined
  /** The TaskSchedule that started the run. */
  readonly schedule?: string | undefined
  readonly reachPoint?: KillPointHook | undefined
}

export function createNodeJobs(deps: NodeJobsDeps): NodeJobs {
  const { jobs, namespace, execution, owner, schedule, isOfGraph = () => true, reachPoint = () => undefined } = deps
  const starter: Starter = { kind: 'TaskExecution', namespace, name: execution }
  /** UIDs of Jobs that were acknowledged or deleted, which the cache may not show yet. */
  const tidied = new Set<string>()
  /** Warnings of the API server, by node. */
  const warnings = new Map<string, readonly string[]>()

  const refOf = (run: Run, node: string): JobRef =>
    jobNamed(namespace, [execution, node], nodeJobId(deps.run, run.begun?.token ?? '', node))

  const isUntidy = (job: Job): boolean => {
    const { uid = '', deletionTimestamp } = job.metadata
    const isDone = endOfJob(job) !== undefined && isAcknowledged(job)
    return !isDone && !tidied.has(uid) && deletionTimestamp === undefined
  }

  return {
    async look(run, call) {
      const active = activeNodes(run, 'Kubernetes')
      const looks = await Promise.all(active.map(({ name }) => jobs.look(refOf(run, name), call)))
      const ends = await Promise.all(
        active.map(async ({ name, isStopping, hadEnded }, index): Promise<NodeEnd | undefined> => {
          const look = looks[index]
          if (look?.kind === 'Ended') return endOf(jobs, name, look.job, call)
          if (look?.kind === 'Absent' && !isStopping) return removed(name, refOf(run, name))
          // Its end is lost.
          if (look?.kind === 'Absent' && hadEnded) noteRemoved(run, name, 'Absent')
          return undefined
        }),
      )
      const againAfterMs = earliest(looks.map((look) => (look.kind === 'Running' ? look.againAfterMs : undefined)))
      return { ends: ends.filter((end) => end !== undefined), againAfterMs }
    },
    async place(run, nodes, call) {
      reachPoint('before create job')
      const answers = await Promise.all(
        nodes.map(async ({ name, job }) => {
          const ref = refOf(run, name)
          const own = { [labels.startedBy]: starter.kind, [labels.execution]: execution, [labels.node]: name }
          const all = schedule === undefined ? own : { ...own, [labels.schedule]: schedule }
          const field = isOfGraph() ? fieldInGraph(run, name) : 'spec.job'
          return { node: name, answer: await jobs.create({ ...ref, labels: all, owner, template: job, field }, call) }
        }),
      )
      reachPoint('after create job')
      for (const { node, answer } of answers) {
        if ('warnings' in answer && answer.warnings.length > 0) warnings.set(node, answer.warnings)
      }
      return answers
    },
    async remove(run, node, call) {
      const ref = refOf(run, node)
      const uid = jobs.cached(ref)?.metadata.uid
      reachPoint('before delete job')
      const answer = await jobs.remove(ref, call)
      reachPoint('after delete job')
      if (answer === 'Removed' && uid !== undefined) tidied.add(uid)
      return answer
    },
    findUntidy(run) {
      return jobs.startedBy(starter).filter((job) => {
        const node = nodeOf(job)
        const index = run.state?.graph.indexOf.get(node) ?? -1
        return run.state?.node(index).phase === 'Final' && isUntidy(job) && isJobFor(job, refOf(run, node).id)
      })
    },
    async tidy(run, untidy, call) {
      await Promise.all(
        untidy.map(async (job) => {
          const isLate = endOfJob(job) === undefined
          const effect = isLate ? 'delete job' : 'acknowledge job'
          reachPoint(`before ${effect}`)
          const answer = isLate ? await jobs.remove(refOf(run, nodeOf(job)), call) : await jobs.acknowledge(job, call)
          reachPoint(`after ${effect}`)
          if (answer !== 'Ended') tidied.add(job.metadata.uid ?? '')
        }),
      )
    },
    hasUntidy: () => jobs.startedBy(starter).some(isUntidy),
    nameOf: (run, node) => (isPlacedIn(run, node, 'Kubernetes') ? refOf(run, node).name : undefined),
    async observeProgress(run, call) {
      const all = activeNodes(run, 'Kubernetes')
        .filter(({ isStopping }) => !isStopping)
        .map(({ name }) => ({ name, isUp: isUp(jobs.cached(refOf(run, name))) }))
      // Those that do not run come first: something may be wrong with them.
      const running = all.toSorted((a, b) => Number(a.isUp) - Number(b.isUp)).slice(0, mostShown)
      const looks = await Promise.all(
        running.map(async ({ name: node }) => {
          const ref = refOf(run, node)
          const job = jobs.cached(ref)
          const { trouble, isUnknown, againAfterMs } = job === undefined ? notInCache : await jobs.trouble(job, call)
          const progress: JobProgress = {
            node,
            job: ref.name,
            isUp: isUp(job),
            isUnknown,
            words: trouble?.words,
            reason: trouble?.reason,
            blocked: trouble?.blocked,
            warnings: warnings.get(node) ?? [],
          }
          return { progress, againAfterMs }
        }),
      )
      return { jobs: looks.map(({ progress }) => progress), againAfterMs: earliest(looks.map(({ againAfterMs }) => againAfterMs)) }
    },
  }
}

/** The cache shows it in a moment, or the API server says that it is gone. */
const notInCache: PodLook = { isUnknown: true }

function isUp(job: Job | undefined): boolean {
  return job !== undefined && !hasUnreadyPods(job)
}

function earliest(waits: readonly (number | undefined)[]): number | undefined {
  const known = waits.filter((wait) => wait !== undefined)
  return known.length === 0 ? undefined : Math.min(...known)
}

function nodeOf({ metadata }: Job): string {
  return metadata.labels?.[labels.node] ?? ''
}

/** Where the template of a node stands in its TaskDependency. */
function fieldInGraph({ state }: Run, node: string): string {
  const { plan, indexOf } = state?.graph ?? {}
  const index = indexOf?.get(node) ?? 0
  const before = plan?.nodes.length ?? 0
  return index < before ? `spec.nodes[${index}].job` : `spec.finally[${index - before}].job`
}

async function endOf(jobs: Jobs, node: string, job: Job, call: Call): Promise<NodeEnd> {
  const { pod, ...report } = await jobs.report(job, call)
  return { node, ...report, ...(pod === undefined ? {} : { worker: pod }) }
}

function removed(node: string, { name }: JobRef): NodeEnd {
  return { node, outcome: 'Failed', reason: 'JobRemoved', message: `someone deleted its Job "${name}" before it had ended` }
}
