import { parseArgs } from 'node:util'
import { suggestName, errorMessage, UsageError } from '../errors/index.ts'

/** The arguments after a command's name. */
export type Arguments = {
  readonly positionals: readonly string[]
  readonly namespace?: string
  readonly context?: string
  readonly kubeconfig?: string
  readonly forMs?: number
  readonly because?: string
  readonly payload?: string
  readonly queue?: string
  readonly broker?: string
  readonly delay?: string
  readonly at?: string
  readonly count?: string
  readonly after?: string
  readonly from?: string
  readonly to?: string
  readonly order?: string
  readonly parallelism?: string
  readonly maxRuns?: string
  readonly dryRun: boolean
  /** `key=value`, in the order in which they were written. */
  readonly params: readonly string[]
  readonly slotTime?: string
  readonly ttl?: string
  readonly wait: boolean
  /** Files and folders with manifests; `-` is standard input. */
  readonly filenames: readonly string[]
  readonly takesMs?: number
  readonly outage?: string
  readonly output?: string
  readonly help: boolean
}

/** Options of every command. */
const common = {
  namespace: { type: 'string', short: 'n' },
  context: { type: 'string' },
  kubeconfig: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const

/** Options of some commands. */
const special = {
  for: { type: 'string' },
  because: { type: 'string' },
  queue: { type: 'string' },
  broker: { type: 'string' },
  payload: { type: 'string' },
  delay: { type: 'string' },
  at: { type: 'string' },
  count: { type: 'string' },
  after: { type: 'string' },
  from: { type: 'string' },
  to: { type: 'string' },
  order: { type: 'string' },
  parallelism: { type: 'string' },
  'max-runs': { type: 'string' },
  'dry-run': { type: 'boolean' },
  param: { type: 'string', multiple: true },
  'slot-time': { type: 'string' },
  ttl: { type: 'string' },
  wait: { type: 'boolean' },
  filename: { type: 'string', short: 'f', multiple: true },
  takes: { type: 'string' },
  outage: { type: 'string' },
  output: { type: 'string', short: 'o' },
} as const

export type Option = keyof typeof special

/** The letter of an option, if it has one. */
export function letterOf(option: Option): string | undefined {
  const declared = special[option]
  return 'short' in declared ? declared.short : undefined
}

/** Parses the arguments; `allowed` are the command's own options. Throws a usage error. */
export function parseArguments(argv: readonly string[], allowed: readonly string[]): Arguments {
  const { values, positionals } = parsed(argv, allowed)
  const {
    namespace,
    context,
    kubeconfig,
    queue,
    broker,
    payload,
    delay,
    at,
    count,
    after,
    param: params = [],
    ttl,
    wait = false,
    help = false,
  } = values
  const { from, to, order, parallelism, 'max-runs': maxRuns, 'dry-run': dryRun = false, 'slot-time': slotTime } = values
  const because = values.because?.trim()
  const forMs = durationOption('--for', values.for)
  const takesMs = durationOption('--takes', values.takes)
  const { filename: filenames = [], outage, output } = values
  return {
    positionals,
    params,
    wait,
    dryRun,
    help,
    ...(namespace === undefined ? {} : { namespace }),
    ...(context === undefined ? {} : { context }),
    ...(kubeconfig === undefined ? {} : { kubeconfig }),
    ...(forMs === undefined ? {} : { forMs }),
    ...(because === undefined || because === '' ? {} : { because }),
    ...(queue === undefined ? {} : { queue }),
    ...(broker === undefined ? {} : { broker }),
    ...(payload === undefined ? {} : { payload }),
    ...(delay === undefined ? {} : { delay }),
    ...(at === undefined ? {} : { at }),
    ...(count === undefined ? {} : { count }),
    ...(after === undefined ? {} : { after }),
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    ...(order === undefined ? {} : { order }),
    ...(parallelism === undefined ? {} : { parallelism }),
    ...(maxRuns === undefined ? {} : { maxRuns }),
    ...(slotTime === undefined ? {} : { slotTime }),
    ...(ttl === undefined ? {} : { ttl }),
    filenames,
    ...(takesMs === undefined ? {} : { takesMs }),
    ...(outage === undefined ? {} : { outage }),
    ...(output === undefined ? {} : { output }),
  }
}

function parsed(argv: readonly string[], allowed: readonly string[]) {
  const known = [...Object.keys(common), ...allowed]
  const { tokens } = parseArgs({ args: [...argv], options: { ...common, ...special }, allowPositionals: true, strict: false, tokens: true })
  const unknown = tokens.find((token) => token.kind === 'option' && !known.includes(token.name))
  if (unknown?.kind === 'option') {
    const others = known.map((name) => `--${name}`)
    throw new UsageError(`unknown option ${unknown.rawName}${suggestName(unknown.rawName, others)}`)
  }
  try {
    return parseArgs({ args: [...argv], options: { ...common, ...special }, allowPositionals: true, strict: true })
  } catch (error) {
    // Node adds a long explanation of how to pass values that look like options.
    throw new UsageError(errorMessage(error).split('. ')[0] ?? '')
  }
}

const units = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000 } as const
type Unit = keyof typeof units

/** Parses `1h`, `90m`, `1d12h` to ms; undefined for anything else, and for zero. */
export function parseDuration(text: string): number | undefined {
  if (!/^(\d{1,6}[dhms])+$/u.test(text)) return undefined
  const ms = Array.from(text.matchAll(/(\d+)([dhms])/gu), ([, count, unit]) => Number(count) * units[unit as Unit]).reduce(
    (a, b) => a + b,
    0,
  )
  return ms > 0 ? ms : undefined
}

/** Returns the duration of an option in ms; undefined if it was not written. Throws a usage error that names the option. */
function durationOption(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const ms = parseDuration(text)
  if (ms === undefined) throw new UsageError(`${option} ${text}: write a duration such as 45m, 1h or 1d12h`)
  return ms
}

/** Parses a time in RFC 3339 to Unix ms; undefined for anything else. */
export function parseTime(text: string): number | undefined {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/u.test(text)) return undefined
  const ms = Date.parse(text)
  return Number.isNaN(ms) ? undefined : ms
}

/** Returns a time of an option as it was written. Throws a usage error that names the option, with `example` as what to write. */
export function timeOption(option: string, text: string | undefined, example: string): string | undefined {
  if (text === undefined) return undefined
  const ms = parseTime(text)
  if (ms === undefined) throw new UsageError(`${option} ${text}: write a time such as ${example}`)
  if (ms < 0) throw new UsageError(`${option} ${text}: no slot is before 1970; write a time such as ${example}`)
  return text
}

/** Formats the two largest parts that are not 0: `1d12h`, `45m`. */
export function formatDuration(ms: number): string {
  let rest = Math.max(0, Math.round(ms / 1000) * 1000)
  const parts = Object.entries(units).flatMap(([unit, size]) => {
    const count = Math.floor(rest / size)
    rest -= count * size
    return count === 0 ? [] : [`${count}${unit}`]
  })
  return parts.length === 0 ? '0s' : parts.slice(0, 2).join('')
}

/** Why a command cannot be carried out, for the user who typed it. */
export class CommandError extends Error {}
