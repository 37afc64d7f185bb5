import { parseArgs } from 'node:util'
import { didYouMean, errorMessage } from '../errors/index.ts'
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
  readonly payload?: string
  /** `key=value`, in the order in which they were written. */
  readonly params: readonly string[]
  readonly slotTime?: string
  readonly ttl?: string
  readonly wait: boolean
  readonly help: boolean
}

/** Of every command. */
const common = {
  namespace: { type: 'string', short: 'n' },
  context: { type: 'string' },
  kubeconfig: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const

/** Of some commands. */
const special = {
  for: { type: 'string' },
  because: { type: 'string' },
  payload: { type: 'string' },
  param: { type: 'string', multiple: true },
  'slot-time': { type: 'string' },
  ttl: { type: 'string' },
  wait: { type: 'boolean' },
} as const

export type Option = keyof typeof special

/** `allowed`: those of the command beside the common ones. */
export function parseArguments(argv: readonly string[], allowed: readonly string[]): Arguments {
  const { values, positionals } = parsed(argv, allowed)
  const { namespace, context, kubeconfig, payload, param: params = [], ttl, wait = false, help = false } = values
  const slotTime = values['slot-time']
  const because = values.because?.trim()
  const forMs = values.for === undefined ? undefined : parseDuration(values.for)
  if (values.for !== undefined && forMs === undefined) {
    throw usageError(`--for ${values.for}: write a duration such as 45m, 1h or 1d12h`)
  }
  return {
    positionals,
    params,
    wait,
    help,
    ...(namespace === undefined ? {} : { namespace }),
    ...(context === undefined ? {} : { context }),
    ...(kubeconfig === undefined ? {} : { kubeconfig }),
    ...(forMs === undefined ? {} : { forMs }),
    ...(because === undefined || because === '' ? {} : { because }),
    ...(payload === undefined ? {} : { payload }),
    ...(slotTime === undefined ? {} : { slotTime }),
    ...(ttl === undefined ? {} : { ttl }),
  }
}

function parsed(argv: readonly string[], allowed: readonly string[]) {
  const known = [...Object.keys(common), ...allowed]
  const { tokens } = parseArgs({ args: [...argv], options: { ...common, ...special }, allowPositionals: true, strict: false, tokens: true })
  const unknown = tokens.find((token) => token.kind === 'option' && !known.includes(token.name))
  if (unknown?.kind === 'option') {
    const others = known.map((name) => `--${name}`)
    throw usageError(`there is no option ${unknown.rawName} here${didYouMean(unknown.rawName, others)}`)
  }
  try {
    return parseArgs({ args: [...argv], options: { ...common, ...special }, allowPositionals: true, strict: true })
  } catch (error) {
    // Node explains at length how to pass what looks like an option.
    throw usageError(errorMessage(error).split('. ')[0] ?? '')
  }
}
