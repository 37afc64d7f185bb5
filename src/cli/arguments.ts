import { parseArgs } from 'node:util'
import { errorMessage } from '../errors/index.ts'
import { usageError } from './command-error.ts'
import { parseDuration } from './duration.ts'

/** The words after a command's name. */
export type Arguments = {
  readonly positionals: readonly string[]
  readonly namespace?: string
  readonly context?: string
  readonly kubeconfig?: string
  readonly forMs?: number
  readonly because?: string
  readonly help: boolean
}

const options = {
  namespace: { type: 'string', short: 'n' },
  context: { type: 'string' },
  kubeconfig: { type: 'string' },
  for: { type: 'string' },
  because: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const

export function parseArguments(argv: readonly string[]): Arguments {
  const { values, positionals } = parsed(argv)
  const { namespace, context, kubeconfig, because, help = false } = values
  const forMs = values.for === undefined ? undefined : parseDuration(values.for)
  if (values.for !== undefined && forMs === undefined) {
    throw usageError(`--for ${values.for}: write a duration such as 45m, 1h or 1d12h`)
  }
  return {
    positionals,
    help,
    ...(namespace === undefined ? {} : { namespace }),
    ...(context === undefined ? {} : { context }),
    ...(kubeconfig === undefined ? {} : { kubeconfig }),
    ...(forMs === undefined ? {} : { forMs }),
    ...(because === undefined || because.trim() === '' ? {} : { because: because.trim() }),
  }
}

function parsed(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options, allowPositionals: true, strict: true })
  } catch (error) {
    // Node explains at length how to pass what looks like an option.
    throw usageError(errorMessage(error).split('. ')[0] ?? '')
  }
}
