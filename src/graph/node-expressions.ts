/** The expressions of one node: what they may name, and how they are filled in. */
import { errorMessage } from '../errors/index.ts'
import { compile, compileDocument, type Expression, type Use } from '../expressions/index.ts'
import type { JobTemplate, TaskTemplate } from '../api/index.ts'
import { compileJobTemplate } from './job-expressions.ts'
import type { PlanNode } from './plan.ts'

type Variables = Readonly<Record<string, unknown>>

/** What runs at a node, its expressions filled in. */
export type Effect = { readonly task: TaskTemplate } | { readonly job: JobTemplate }

export type NodeExpressions = {
  readonly when: Expression | undefined
  effect(variables: Variables): Effect
  readonly uses: readonly { readonly use: Use; readonly field: string }[]
}

type Fault = { readonly field: string; readonly message: string }
type Uses = { use: Use; field: string }[]

const variables = ['nodes', 'run', 'parameters', 'slot'] as const

/** Compiles them all; `field` is the node's. What is wrong with any is told to `onFault`. */
export function compileNode(node: PlanNode, field: string, onFault: (fault: Fault) => void): NodeExpressions {
  const uses: Uses = []
  const when = node.when === undefined ? undefined : compileWhen(node.when, `${field}.when`, uses, onFault)
  const { task, job } = node
  if (job !== undefined) {
    const compiled = compileJobTemplate(job, `${field}.job`, { variables })
    if (compiled.ok) uses.push(...compiled.template.uses)
    else compiled.faults.forEach(onFault)
    return { when, uses, effect: (values) => ({ job: compiled.ok ? compiled.template.evaluate(values) : job }) }
  }
  if (task === undefined) throw new TypeError(`${field} has neither task nor job`)
  const payload = compileDocument(task.payload, `${field}.task.payload`, { variables })
  if (payload.ok) uses.push(...payload.document.uses)
  else payload.faults.forEach(onFault)
  const fill = (values: Variables): Effect =>
    payload.ok && task.payload !== undefined
      ? { task: { ...task, payload: payload.document.evaluate(values) as NonNullable<TaskTemplate['payload']> } }
      : { task }
  return { when, uses, effect: fill }
}

function compileWhen(source: string, field: string, uses: Uses, onFault: (fault: Fault) => void): Expression | undefined {
  try {
    const expression = compile(source, { variables })
    uses.push(...expression.uses.map((use) => ({ use, field })))
    if (expression.type === 'bool' || expression.type === 'dyn') return expression
    onFault({ field, message: `it yields ${expression.type}, and has to yield true or false; compare it with something` })
  } catch (error) {
    onFault({ field, message: errorMessage(error) })
  }
  return undefined
}
