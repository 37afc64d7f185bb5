/** The expressions of one node: what they may read, and how they are evaluated. */
import type { JobTemplate, TaskTemplate } from '../api/index.ts'
import { errorMessage } from '../errors/index.ts'
import {
  compile,
  compileDocument,
  type Expression,
  type Use,
  type CompileOptions,
  compileText,
  type DocumentFault,
  describeError,
} from '../expressions/index.ts'
import { executorOf, type NodeExecutor, type PlanNode, type RunTemplate } from './log.ts'

type Variables = Readonly<Record<string, unknown>>

/** What a node runs, with its expressions evaluated. */
export type Effect = { readonly task: TaskTemplate } | { readonly job: JobTemplate } | { readonly run: RunTemplate }

export type NodeExpressions = {
  readonly when: Expression | undefined
  effect(variables: Variables): Effect
  readonly uses: readonly { readonly use: Use; readonly field: string }[]
}

type Uses = { use: Use; field: string }[]

const variables = ['nodes', 'run', 'parameters', 'slot'] as const

/** Compiles all expressions of a node; `field` is the path of the node. Reports each fault to `onFault`. */
export function compileNode(node: PlanNode, field: string, onFault: (fault: DocumentFault) => void): NodeExpressions {
  const uses: Uses = []
  const when = node.when === undefined ? undefined : compileWhen(node.when, `${field}.when`, uses, onFault)
  return { when, uses, effect: compileEffect(executorOf(node), field, uses, onFault) }
}

function compileEffect(
  executor: NodeExecutor,
  field: string,
  uses: Uses,
  onFault: (fault: DocumentFault) => void,
): (values: Variables) => Effect {
  switch (executor.kind) {
    case 'task':
      return compileTask(executor.template, field, uses, onFault)
    case 'job': {
      const job = executor.template
      const compiled = compileJobTemplate(job, `${field}.job`, { variables })
      if (compiled.ok) uses.push(...compiled.template.uses)
      else compiled.faults.forEach(onFault)
      return (values) => ({ job: compiled.ok ? compiled.template.evaluate(values) : job })
    }
    case 'run': {
      // Its parameters are values: the expressions in them were evaluated when the plan was made.
      const effect = { run: executor.template }
      return () => effect
    }
  }
}

function compileTask(
  task: TaskTemplate,
  field: string,
  uses: Uses,
  onFault: (fault: DocumentFault) => void,
): (values: Variables) => Effect {
  const payload = compileDocument(task.payload, `${field}.task.payload`, { variables })
  if (payload.ok) uses.push(...payload.document.uses)
  else payload.faults.forEach(onFault)
  return (values) =>
    payload.ok && task.payload !== undefined
      ? { task: { ...task, payload: payload.document.evaluate(values) as NonNullable<TaskTemplate['payload']> } }
      : { task }
}

function compileWhen(source: string, field: string, uses: Uses, onFault: (fault: DocumentFault) => void): Expression | undefined {
  try {
    const expression = compile(source, { variables })
    uses.push(...expression.uses.map((use) => ({ use, field })))
    if (expression.type === 'bool' || expression.type === 'dyn') return expression
    onFault({ reason: 'InvalidExpression', field, message: `it yields ${expression.type}, but must yield true or false; add a comparison` })
  } catch (error) {
    onFault({ reason: 'InvalidExpression', field, message: errorMessage(error) })
  }
  return undefined
}

type Json = Readonly<Record<string, unknown>>
type Part = (variables: Variables) => unknown
type Compile = (value: unknown, field: string) => Part

/** A Job template with compiled expressions. */
type CompiledJobTemplate = {
  readonly uses: readonly { readonly use: Use; readonly field: string }[]
  /** Returns the template with all its expressions evaluated. Throws as expressions do. */
  evaluate(variables: Variables): JobTemplate
}

/**
 * Compiles the expressions in `command`, `args` and the values of `env` of all containers. Returns all faults, not only
 * the first.
 */
export function compileJobTemplate(
  job: JobTemplate,
  field: string,
  options: CompileOptions,
): { readonly ok: true; readonly template: CompiledJobTemplate } | { readonly ok: false; readonly faults: readonly DocumentFault[] } {
  const faults: DocumentFault[] = []
  const uses: { use: Use; field: string }[] = []
  const text: Compile = (value, at) => {
    if (typeof value !== 'string' || !value.includes('$(')) return () => value
    try {
      const template = compileText(value, options)
      uses.push(...template.uses.map((use) => ({ use, field: at })))
      return (values) => template.evaluate(values)
    } catch (error) {
      faults.push({
        reason: 'InvalidExpression',
        field: at,
        message: `${describeError(error)}; write $$(NAME) for a variable that Kubernetes fills in`,
      })
      return () => value
    }
  }
  const list = (value: unknown, at: string, item: Compile): Part => {
    if (!Array.isArray(value)) return () => value
    const items = value.map((each, index) => item(each, `${at}[${index}]`))
    return (values) => items.map((each) => each(values))
  }
  const variable: Compile = (value, at) => {
    const env = jsonOf(value)
    const fill = text(env['value'], `${at}.value`)
    return (values) => ('value' in env ? { ...env, value: fill(values) } : value)
  }
  const container: Compile = (value, at) => {
    const own = jsonOf(value)
    return filled(own, {
      command: list(own['command'], `${at}.command`, text),
      args: list(own['args'], `${at}.args`, text),
      env: list(own['env'], `${at}.env`, variable),
    })
  }
  const { spec } = job
  const pod: Json = jsonOf(jsonOf(spec.template)['spec'])
  const containers = (name: string): Part => list(pod[name], `${field}.spec.template.spec.${name}`, container)
  const fill = filled(pod, { initContainers: containers('initContainers'), containers: containers('containers') })
  if (faults.length > 0) return { ok: false, faults }
  const evaluate = (values: Variables) =>
    ({ ...job, spec: { ...spec, template: { ...spec.template, spec: fill(values) } } }) as unknown as JobTemplate
  return { ok: true, template: { uses, evaluate } }
}

/** Fills in some fields of an object; missing fields stay missing. */
function filled(value: Json, parts: Readonly<Record<string, Part>>): Part {
  const there = Object.entries(parts).filter(([name]) => name in value)
  return (values) => ({ ...value, ...Object.fromEntries(there.map(([name, part]) => [name, part(values)])) })
}

function jsonOf(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {}
}
