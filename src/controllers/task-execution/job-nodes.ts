/** The nodes of a run that are Kubernetes Jobs, and what people are told of them. */
import { apiVersionOf, type TaskExecution, taskExecutions } from '../../api/index.ts'
import { labels } from '../../contract/index.ts'
import { type NodeView, viewNodes, type Run } from '../../graph/index.ts'
import type { Jobs } from '../../services/jobs/index.ts'
import { createNodeJobs, type JobDoing, type JobsDoing, type NodeJobs } from '../../services/runs/index.ts'
import type { Whereabout } from './world.ts'

/** Its Jobs go with it, whoever deletes it. */
export function nodeJobsOf(jobs: Jobs, { metadata }: TaskExecution, run: string, at: (point: string) => void): NodeJobs {
  const { namespace = '', name, uid = '', labels: its } = metadata
  const schedule = its?.[labels.schedule]
  const owner = { apiVersion: apiVersionOf(taskExecutions), kind: taskExecutions.kind, name, uid, controller: true }
  return createNodeJobs({ jobs, run, namespace, execution: name, owner, at, ...(schedule === undefined ? {} : { schedule }) })
}

/** By node: of those whose Jobs are there, and of those whose Jobs the API server does not take yet. */
export function jobWhereabouts(run: Run, doing: JobsDoing): ReadonlyMap<string, Whereabout> {
  const postponed = run.postponed.size === 0 ? [] : viewNodes(run).flatMap(postponedOf)
  return new Map([...doing.jobs.map((each) => [each.node, whereaboutOf(each)] as const), ...postponed])
}

function postponedOf({ name, postponed }: NodeView): readonly (readonly [string, Whereabout])[] {
  if (postponed === undefined) return []
  const words = `not created (${postponed.tries} ${postponed.tries === 1 ? 'try' : 'tries'})`
  return [[name, { words, isStuck: true, detail: `its Job is not taken by the API server, and tried again: ${postponed.message}` }]]
}

function whereaboutOf({ job, isUp, words, reason, warnings }: JobDoing): Whereabout {
  const warned = warnings.length === 0 ? '' : `. The API server warns: ${warnings.join('; ')}`
  if (words !== undefined) {
    const short = reason === undefined ? 'in trouble' : `in trouble (${reason})`
    return { words: short, isStuck: true, detail: `Job "${job}": ${words}${warned}` }
  }
  return { words: isUp ? 'running' : 'starting', detail: `Job "${job}" is ${isUp ? 'running' : 'starting'}${warned}` }
}
