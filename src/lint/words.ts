/**
 * Words that mean nothing where they stand, although every rule admits them: a state that no node ever has, a parameter
 * that nobody declares, a placeholder that nobody fills in. They are warnings, because the object does work.
 */
import { taskExecution, type TaskDependency } from '../api/index.ts'
import { suggestName } from '../errors/index.ts'
import { compile, compileTemplate, type Expression } from '../expressions/index.ts'
import { isObject } from './documents.ts'

export type Noticed = { readonly path: string; readonly message: string }
type Json = Readonly<Record<string, unknown>>

/** Returns the words without meaning in an object that its schema admits. */
export function findEmptyWords(kind: string, object: Json): readonly Noticed[] {
  const texts = textsIn(object['spec'], 'spec').filter(({ path }) => !path.startsWith('spec.override'))
  return [
    ...texts.filter((text) => isExpression(text.text) && !isFilledIn(kind, text)).map(unfilled),
    ...(kind === 'TaskDependency' ? wordsOfGraph(object as unknown as TaskDependency) : []),
    ...(kind === 'TaskAlert' ? placeholdersIn(object) : []),
  ]
}

type Text = { readonly text: string; readonly path: string; readonly isKey: boolean }

/** Every text below a value, the names of fields too, which nobody fills in. */
function textsIn(value: unknown, path: string): readonly Text[] {
  if (typeof value === 'string') return [{ text: value, path, isKey: false }]
  if (Array.isArray(value)) return value.flatMap((item: unknown, index) => textsIn(item, `${path}[${index}]`))
  if (!isObject(value)) return []
  return Object.entries(value).flatMap(([name, own]) => [
    { text: name, path: `${path}.${name}`, isKey: true },
    ...textsIn(own, `${path}.${name}`),
  ])
}

function isExpression(text: string): boolean {
  return /(?<!\$)\$\(/u.test(text)
}

/** Where the operator, or Kubernetes, puts something in place of `$(…)`; by kind. */
const job = String.raw`job\.spec\.template\.spec\.(?:initContainers|containers)\[\d+\]\.(?:command|args|env)\[\d+\](?:\.value)?$`
const filledIn: Readonly<Record<string, RegExp>> = {
  TaskSchedule: new RegExp(String.raw`^spec\.(?:task\.payload\.|parameters\.|${job})`, 'u'),
  TaskDependency: new RegExp(String.raw`^spec\.(?:nodes|finally)\[\d+\]\.(?:task\.payload\.|when$|${job})`, 'u'),
  TaskExecution: new RegExp(String.raw`^spec\.(?:task\.payload\.|payload\.|${job})`, 'u'),
  TaskAlert: /^spec\.message$/u,
}
/** A shell, or the kubelet, takes these for its own. */
const ofOthers = /\.(?:command|args)\[\d+\]$|\.env\[\d+\]\.value$|\.subPathExpr$|\.annotations\.[^.]*$/u

function isFilledIn(kind: string, { path, isKey }: Text): boolean {
  if (isKey) return false
  return filledIn[kind]?.test(path) === true || ofOthers.test(path)
}

function unfilled({ path, isKey }: Text): Noticed {
  return {
    path,
    message: isKey
      ? 'has $(…) in the name of a field, which is not filled in. Next: write the name itself; only values can have expressions'
      : '$(…) is not filled in here and stays as it is. Next: write the value; expressions work in payload, parameters of a schedule, and command, args and env of a job',
  }
}

/** The states of nodes that have ended, and of runs, as the schema of a run has them. */
const { properties: runFields = {} } = taskExecution.status.json
const nodeStates = endedOf(runFields['nodes']?.items?.properties?.['state']?.enum)
const runStates = endedOf(runFields['state']?.enum)

function endedOf(states: readonly string[] = []): readonly string[] {
  return states.filter((state) => !['Pending', 'Running', 'Stopping'].includes(state))
}

/** What other systems call an end. */
const foreignStates: Readonly<Record<string, string>> = {
  completed: 'Succeeded',
  complete: 'Succeeded',
  success: 'Succeeded',
  successful: 'Succeeded',
  ok: 'Succeeded',
  done: 'Succeeded',
  passed: 'Succeeded',
  failure: 'Failed',
  error: 'Failed',
  errored: 'Failed',
  timeout: 'TimedOut',
  revoked: 'Cancelled',
  canceled: 'Cancelled',
}

function wordsOfGraph({ spec }: TaskDependency): readonly Noticed[] {
  const declared = Object.keys(spec.parameters ?? {})
  const nodes = [
    ...spec.nodes.map((node, index) => ({ node, path: `spec.nodes[${index}]` })),
    ...(spec.finally ?? []).map((node, index) => ({ node, path: `spec.finally[${index}]` })),
  ]
  return nodes.flatMap(({ node, path }) => {
    const tooLong = spec.timeoutSeconds !== undefined && node.timeoutSeconds !== undefined && node.timeoutSeconds > spec.timeoutSeconds
    return [
      ...expressionsOf(node, path).flatMap((each) => [...wrongStates(each), ...undeclared(each, declared)]),
      ...(tooLong && path.startsWith('spec.nodes')
        ? [
            {
              path: `${path}.timeoutSeconds`,
              message: `is never reached: the run ends after ${spec.timeoutSeconds} s (spec.timeoutSeconds)`,
            },
          ]
        : []),
    ]
  })
}

type Found = { readonly expression: Expression; readonly source: string; readonly path: string }

const variables = ['nodes', 'run', 'parameters', 'slot'] as const

/** The expressions of a node, of which all compile. */
function expressionsOf(node: TaskDependency['spec']['nodes'][number], path: string): readonly Found[] {
  const when = node.when === undefined ? [] : [{ expression: compile(node.when, { variables }), source: node.when, path: `${path}.when` }]
  const texts = textsIn({ task: { payload: node.task?.payload }, job: node.job }, path)
  const filled = texts.filter((text) => isExpression(text.text) && isFilledIn('TaskDependency', text))
  return [...when, ...filled.map(({ text, path: at }) => ({ expression: compileTemplate(text, { variables }), source: text, path: at }))]
}

function wrongStates({ expression, path }: Found): readonly Noticed[] {
  return expression.comparisons.flatMap(({ use, text }) => {
    const states = statesOf(use)
    if (states === undefined || states.includes(text)) return []
    const ours = foreignStates[text.toLowerCase()]
    const hint = ours === undefined ? suggestName(text, states) : `; did you mean ${JSON.stringify(ours)}?`
    return [
      { path, message: `compares ${use.join('.')} with ${JSON.stringify(text)}, which is no state${hint}; states: ${states.join(', ')}` },
    ]
  })
}

function statesOf(use: readonly string[]): readonly string[] | undefined {
  if (use[0] === 'nodes' && use.length === 3 && use[2] === 'status') return nodeStates
  return use[0] === 'run' && use.length === 2 && use[1] === 'outcome' ? runStates : undefined
}

/** A run can bring a parameter that the graph does not declare; without it, the expression fails, unless it asks first. */
function undeclared({ expression, source, path }: Found, declared: readonly string[]): readonly Noticed[] {
  return expression.uses.flatMap(([variable, name]) => {
    if (variable !== 'parameters' || name === undefined || declared.includes(name)) return []
    if (source.includes(`has(parameters.${name})`) || new RegExp(String.raw`parameters(?:\.\?${name}\b|\[\?)`, 'u').test(source)) return []
    const known = declared.length === 0 ? '' : `; declared: ${declared.join(', ')}`
    const next = 'Next: declare it with a default in spec.parameters'
    return [{ path, message: `parameters.${name} is not declared${suggestName(name, declared)}${known}. ${next}` }]
  })
}

/** What other systems put into a message, and ours for it. */
const placeholders: Readonly<Record<string, string>> = {
  rate: '$(value)',
  value: '$(value)',
  count: '$(value)',
  threshold: '$(limit)',
  limit: '$(limit)',
  task_name: '$(target.name)',
  name: '$(target.name)',
  target: '$(target.name)',
  severity: '$(alert.severity)',
}

function placeholdersIn({ spec }: Json): readonly Noticed[] {
  const { message } = isObject(spec) ? spec : {}
  if (typeof message !== 'string') return []
  // Braces within an expression are a map of CEL.
  const words = message.replaceAll(/(?<!\$)\$\([^)]*\)/gu, '')
  const found = Array.from(words.matchAll(/\{\{?\s*[$.]?(?:labels\.)?([A-Za-z_][\w.]*)\s*\}?\}|%\(([A-Za-z_]\w*)\)s/gu))
  return found.map(([written, name, other]) => {
    const ours = placeholders[(name ?? other ?? '').toLowerCase()]
    const hint = ours === undefined ? 'write an expression such as $(value) or $(target.name)' : `write ${ours}`
    return { path: 'spec.message', message: `${written} is not filled in and stays as it is; ${hint}` }
  })
}
