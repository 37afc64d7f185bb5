import { errorMessage } from '../errors/index.ts'
import { usageError } from './command-error.ts'

/** A JSON object; `what` names it in the refusal of anything else. */
export function parseObject(text: string, what: string): object {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw usageError(`${what} is not JSON: ${errorMessage(error)}`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw usageError(`${what} has to be a JSON object, such as {"retainDays": 1}`)
  }
  return value
}

/** `days=7`, `who=all`: what is JSON keeps its type, everything else is text. Undefined: there are none. */
export function parseParameters(params: readonly string[]): Readonly<Record<string, unknown>> | undefined {
  const parameters = new Map<string, unknown>()
  for (const param of params) {
    const at = param.indexOf('=')
    const key = param.slice(0, Math.max(0, at))
    if (key === '') throw usageError(`--param ${param}: write KEY=VALUE, such as days=7`)
    if (parameters.has(key)) throw usageError(`--param ${key} is there twice`)
    parameters.set(key, valueOf(key, param.slice(at + 1)))
  }
  return parameters.size === 0 ? undefined : Object.fromEntries(parameters)
}

function valueOf(key: string, text: string): unknown {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return text
  }
  // A number that cannot be kept as it was written, for example an id.
  const isRounded = typeof value === 'number' && (!Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value)))
  if (isRounded) {
    throw usageError(`--param ${key}=${text} is a number of too many digits to be kept. As text: --param '${key}="${text}"'`)
  }
  return value
}
