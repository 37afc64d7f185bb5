import type { JobTemplate } from '../api/index.ts'
import { type CompileOptions, compileText, type DocumentFault, type Use, wordsOf } from '../expressions/index.ts'

type Variables = Readonly<Record<string, unknown>>
type Json = Readonly<Record<string, unknown>>
type Part = (variables: Variables) => unknown
type Compile = (value: unknown, field: string) => Part

/** A Job's template whose expressions are compiled. */
export type CompiledJobTemplate = {
  readonly uses: readonly { readonly use: Use; readonly field: string }[]
  /** The template with all its expressions filled in. Throws as expressions do. */
  evaluate(variables: Variables): JobTemplate
}

/** Expressions may stand in what containers are called with: `command`, `args` and the values of `env`. All that is wrong is said. */
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
      faults.push({ field: at, message: `${wordsOf(error)}; what Kubernetes is to fill in itself is written $$(NAME)` })
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

/** An object with some of its fields filled in; those that are not there stay away. */
function filled(value: Json, parts: Readonly<Record<string, Part>>): Part {
  const there = Object.entries(parts).filter(([name]) => name in value)
  return (variables) => ({ ...value, ...Object.fromEntries(there.map(([name, part]) => [name, part(variables)])) })
}

function jsonOf(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {}
}
