import type { TaskDependency } from '../../api/index.ts'
import type { Fault } from '../../plans/index.ts'
import type { Jobs } from '../../services/jobs/index.ts'

/** What the API server says to the templates of a graph's Kubernetes Jobs. */
export type Trials = {
  readonly faults: readonly Fault<'TemplateInvalid'>[]
  readonly warnings: readonly string[]
  /** It has said something to each. */
  readonly isComplete: boolean
}

export const nothingTried: Trials = { faults: [], warnings: [], isComplete: false }

/** As many are tried at once. */
const atOnce = 10

/** One request for each template, which creates nothing. Their expressions stand in it as they are: they are only where any text may stand. */
export async function tryJobs(jobs: Pick<Jobs, 'tryOut'>, { metadata, spec }: TaskDependency, signal: AbortSignal): Promise<Trials> {
  const nodes = [...spec.nodes.map(fieldIn('nodes')), ...(spec.finally ?? []).map(fieldIn('finally'))]
  const templates = nodes.flatMap(({ job, ...node }) => (job === undefined ? [] : [{ job, ...node }]))
  const faults: Fault<'TemplateInvalid'>[] = []
  const warnings: string[] = []
  let isComplete = true
  for (let at = 0; at < templates.length; at += atOnce) {
    const some = templates.slice(at, at + atOnce)
    const answers = await Promise.all(some.map(({ job }) => jobs.tryOut(metadata.namespace ?? '', job, { signal })))
    for (const [index, { name, field }] of some.entries()) {
      const answer = answers[index]
      if (answer?.kind === 'Invalid') faults.push({ reason: 'TemplateInvalid', field, message: answer.message })
      else warnings.push(...(answer?.warnings ?? []).map((text) => `node ${name}: ${text}`))
      if (answer?.kind === 'Unknown') isComplete = false
    }
  }
  return { faults, warnings, isComplete }
}

function fieldIn(list: string) {
  return ({ name, job }: TaskDependency['spec']['nodes'][number], index: number) => ({ name, job, field: `spec.${list}[${index}].job` })
}
