import type { Clock } from '../clock/index.ts'
import type { KubeClient } from '../kube/index.ts'
import type { Arguments, Option } from './arguments.ts'

export type Cluster = { readonly client: KubeClient; readonly namespace: string }

export type CommandDeps = {
  /** Reaches the cluster, by default that of the current context; called once at most. */
  readonly connect: (how: { readonly kubeconfig?: string; readonly context?: string }) => Promise<Cluster>
  readonly out: (text: string) => void
  readonly err: (text: string) => void
  readonly clock: Clock
  /** A file's text; `-` is standard input. */
  readonly readText: (path: string) => Promise<string>
  /** How people call the program: `taskmill`, or `kubectl taskmill`. */
  readonly program: string
  /** Aborts when somebody does not want to wait any longer. */
  readonly stop: AbortSignal
}

export type Context = CommandDeps &
  Cluster & {
    /** ` -n team`, for what is to be typed next. */
    readonly where: string
    /** What the API server warns of. */
    readonly onWarning: (text: string) => void
  }

/** What a command says in the end, and with what it exits. */
export type CommandResult = { readonly words: string; readonly exitCode: number }

/** Carries out what was asked for. */
type Prepared = (context: Context) => Promise<string | CommandResult>

export type Command = {
  /** What it acts on, in `taskmill --help`: `tsch/NAME | tdep/NAME`. */
  readonly target: string
  /** What it does, in `taskmill --help`: at most 60 characters. */
  readonly summary: string
  /** Behind the command's name. */
  readonly usage: string
  readonly about: string
  /** Those it takes beside the common ones, each with what it means here. */
  readonly options: Partial<Readonly<Record<Option, string>>>
  /** Below the options. */
  readonly more?: string
  /** Refuses what is called wrongly, before anything is reached. */
  prepare(args: Arguments): Prepared
}

/** The field manager of all that the commands write. */
export const fieldManager = 'taskmill-cli'

/** What stands behind each option. */
const values: Readonly<Record<Option, string>> = {
  for: 'DURATION',
  because: 'REASON',
  payload: 'JSON|@FILE',
  param: 'KEY=VALUE',
  'slot-time': 'TIME',
  ttl: 'DURATION',
  wait: '',
}

const common = [
  ['-n, --namespace NAME', 'default: the namespace of the context'],
  ['    --context NAME', 'default: the current context'],
  ['    --kubeconfig FILE', 'default: $KUBECONFIG, or else ~/.kube/config'],
] as const

export function renderHelp(name: string, { usage, about, options, more }: Command, program: string): string {
  const own = Object.entries(options).map(
    ([option, meaning]) => [`    --${option} ${values[option as Option]}`.trimEnd(), meaning] as const,
  )
  const rows = [...own, ...common]
  const width = Math.max(...rows.map(([option]) => option.length)) + 2
  const lines = rows.map(([option, meaning]) => `  ${option.padEnd(width)}${meaning.replaceAll('\n', `\n${' '.repeat(width + 2)}`)}`)
  return [`${program} ${name} ${usage}`, about, lines.join('\n'), ...(more === undefined ? [] : [more])].join('\n\n') + '\n'
}
