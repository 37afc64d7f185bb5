import { createValidator, type JsonSchema, type Kind, type Problem, withDefaults } from '../api/index.ts'
import { evaluateRule } from '../expressions/index.ts'
import { faultsOf } from '../plans/index.ts'
import type { Written } from './documents.ts'
import { didYouMean } from '../errors/index.ts'

const validate = createValidator({ evaluateRule })

/**
 * What is wrong with one object: what the API server refuses, or else, since it needs an object that the schema admits, what the controller
 * does not understand. Rules about changes are not asked: what was there before is not known here.
 */
export function problemsOf(kind: Kind, { value }: Written): readonly Problem[] {
  const refused = validate(kind, value)
  if (refused.length > 0)
    return refused.map((problem) => ({ ...problem, message: `${problem.message}${quotesHint(problem)}${fieldHint(kind, problem)}` }))
  return faultsOf(withDefaults(kind, value as never)).map(({ field, message }) => ({ path: field, message }))
}

/** `off`, `1e3` and their like are no texts to YAML. */
function quotesHint({ message }: Problem): string {
  return /^must be string, is (?:boolean|integer|number)$/u.test(message) ? '; put it in quotes' : ''
}

/** A field that is misspelt is mostly one of those that may stand beside it. */
function fieldHint({ spec, status }: Kind, { path, message }: Problem): string {
  if (!message.startsWith('is not a field')) return ''
  const steps = path.split(/[.[\]]+/u)
  let schema: JsonSchema | undefined = { description: '', properties: { spec: spec.json, status: status.json } }
  for (const step of steps.slice(0, -1)) schema = schema?.items ?? schema?.properties?.[step] ?? schema?.additionalProperties
  return didYouMean(steps.at(-1) ?? '', Object.keys(schema?.properties ?? {}))
}
