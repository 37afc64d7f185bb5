/** The expressions of one node: what they may name, and how they are filled in. */
import { errorMessage } from '../errors/index.ts'
import { compile, compileDocument, compileText, type Expression, type Use } from '../expressions/index.ts'
import type { TaskTemplate } from '../api/index.ts'
import type { JobTemplate, PlanNode } from './plan.ts'

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
  if (node.job !== undefined) return { when, uses, effect: compileJob(node.job, `${field}.job`, uses, onFault) }
  const { task } = node
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

type Json = Readonly<Record<string, unknown>>

/** In a Job's template expressions may stand in what containers are called with: `command`, `args` and the values of `env`. */
function compileJob(job: JobTemplate, field: string, uses: Uses, onFault: (fault: Fault) => void): (values: Variables) => Effect {
  const text = (value: unknown, at: string): ((values: Variables) => unknown) => {
    if (typeof value !== 'string' || !value.includes('$(')) return () => value
    try {
      const template = compileText(value, { variables })
      uses.push(...template.uses.map((use) => ({ use, field: at })))
      return (values) => template.evaluate(values)
    } catch (error) {
      onFault({ field: at, message: `${errorMessage(error)}; what Kubernetes is to fill in itself is written $$(NAME)` })
      return () => value
    }
  }
  const list = (value: unknown, at: string, item: typeof text): ((values: Variables) => unknown) => {
    if (!Array.isArray(value)) return () => value
    const items = value.map((each, index) => item(each, `${at}[${index}]`))
    return (values) => items.map((each) => each(values))
  }
  const container = (value: unknown, at: string): ((values: Variables) => unknown) => {
    const own = jsonOf(value)
    const filled = Object.entries({
      command: list(own['command'], `${at}.command`, text),
      args: list(own['args'], `${at}.args`, text),
      env: list(own['env'], `${at}.env`, (each, path) => {
        const env = jsonOf(each)
        const fill = text(env['value'], `${path}.value`)
        return (values) => ('value' in env ? { ...env, value: fill(values) } : each)
      }),
    }).filter(([name]) => name in own)
    return (values) => ({ ...own, ...Object.fromEntries(filled.map(([name, fill]) => [name, fill(values)])) })
  }
  const spec = jsonOf(job.spec)
  const template = jsonOf(spec['template'])
  const pod = jsonOf(template['spec'])
  const fills = (['initContainers', 'containers'] as const)
    .filter((name) => name in pod)
    .map((name) => [name, list(pod[name], `${field}.spec.template.spec.${name}`, container)] as const)
  return (values) => {
    const filled = Object.fromEntries(fills.map(([name, fill]) => [name, fill(values)]))
    return { job: { ...job, spec: { ...spec, template: { ...template, spec: { ...pod, ...filled } } } } }
  }
}

function jsonOf(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {}
}
