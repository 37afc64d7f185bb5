import type { Clock } from '../clock/index.ts'
import type { KubeClient } from '../kube/index.ts'
import type { TaskSchedule } from '../api/index.ts'
import type { CalendarFiles } from '../plans/index.ts'
import { type Arguments, letterOf, type Option } from './arguments.ts'

export type Cluster = { readonly client: KubeClient; readonly namespace: string }

/** TaskSchedules as they are written in files, and what is to be corrected in these: one line for each. */
export type WrittenSchedules = {
  readonly schedules: readonly {
    readonly path: string
    readonly name: string
    readonly schedule: TaskSchedule
    readonly files: CalendarFiles
  }[]
  readonly faults: readonly string[]
}

export type CommandDeps = {
  /** Connects to the cluster; default: that of the current context. Called at most once. */
  readonly connect: (how: { readonly kubeconfig?: string; readonly context?: string }) => Promise<Cluster>
  readonly out: (text: string) => void
  readonly err: (text: string) => void
  readonly clock: Clock
  /** A file's text; `-` is standard input. */
  readonly readText: (path: string) => Promise<string>
  /** The TaskSchedules of files and folders. `namespace`: of those that name none. */
  readonly readSchedules: (paths: readonly string[], namespace: string | undefined) => Promise<WrittenSchedules>
  /** The name under which the user called the program: `taskmill`, or `kubectl taskmill`. */
  readonly program: string
  /** Aborts when the user stops waiting. */
  readonly stop: AbortSignal
}

export type Context = CommandDeps &
  Cluster & {
    /** ` -n team`, for the commands that are suggested to the user. */
    readonly where: string
    /** Prints a warning of the API server. */
    readonly onWarning: (text: string) => void
  }

/** The final output of a command, and its exit code. */
export type CommandResult = { readonly words: string; readonly exitCode: number }

type Outcome = Promise<string | CommandResult>

/** Carries out the command, in a cluster or without one. */
type Prepared = ((context: Context) => Outcome) | { readonly withoutCluster: (deps: CommandDeps) => Outcome }

export type Command = {
  /** What it acts on, in `taskmill --help`: `tsch/NAME | tdep/NAME`. */
  readonly target: string
  /** What it does, in `taskmill --help`: at most 60 characters. */
  readonly summary: string
  /** What follows the command's name. */
  readonly usage: string
  readonly about: string
  /** The command's own options, each with its meaning. */
  readonly options: Partial<Readonly<Record<Option, string>>>
  /** Text below the options. */
  readonly more?: string
  /** Checks the arguments before anything is reached. Throws a usage error. */
  prepare(args: Arguments): Prepared
}

/** The field manager of everything that the commands write. */
export const fieldManager = 'taskmill-cli'

/** The value of each option, in the help. */
const values: Readonly<Record<Option, string>> = {
  for: 'DURATION',
  because: 'REASON',
  queue: 'QUEUE',
  broker: 'NAME',
  payload: 'JSON|@FILE',
  param: 'KEY=VALUE',
  delay: 'DURATION',
  at: 'TIME',
  count: 'N',
  after: 'TIME',
  from: 'TIME',
  to: 'TIME',
  order: 'oldest|newest',
  parallelism: 'N',
  'max-runs': 'N',
  'dry-run': '',
  'slot-time': 'TIME',
  ttl: 'DURATION',
  wait: '',
  filename: 'FILE',
  takes: 'DURATION',
  outage: 'FROM/TO',
  output: 'svg',
}

const common = [
  ['-n, --namespace NAME', 'default: the namespace of the context'],
  ['    --context NAME', 'default: the current context'],
  ['    --kubeconfig FILE', 'default: $KUBECONFIG, or else ~/.kube/config'],
] as const

export function renderHelp(name: string, { usage, about, options, more }: Command, program: string): string {
  const own = Object.entries(options).map(([option, meaning]) => {
    const letter = letterOf(option as Option)
    return [`${letter === undefined ? '   ' : `-${letter},`} --${option} ${values[option as Option]}`.trimEnd(), meaning] as const
  })
  const rows = [...own, ...common]
  const width = Math.max(...rows.map(([option]) => option.length)) + 2
  const lines = rows.map(([option, meaning]) => `  ${option.padEnd(width)}${meaning.replaceAll('\n', `\n${' '.repeat(width + 2)}`)}`)
  return [`${program} ${name} ${usage}`, about, lines.join('\n'), ...(more === undefined ? [] : [more])].join('\n\n') + '\n'
}
