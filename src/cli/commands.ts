import { suggestName, errorMessage, hasCode, UsageError } from '../errors/index.ts'
import { parseArguments } from './arguments.ts'
import { cancel } from './cancel.ts'
import { type Command, type CommandDeps, renderHelp } from './command.ts'
import { resume, scale, suspend } from './suspend.ts'
import { ack, silence, unack } from './acknowledge.ts'
import { backfill } from './backfill.ts'
import { next } from './next.ts'
import { run } from './run.ts'

/** Every command, in the order of `taskmill --help`. A new command is one file and its entry here. */
const commands: Readonly<Record<string, Command>> = { run, backfill, cancel, next, scale, suspend, resume, ack, silence, unack }

export const commandNames: readonly string[] = Object.keys(commands)

/** One line per command for `taskmill --help`: how it is called, and what it does. */
export const commandSummaries: readonly (readonly [call: string, summary: string])[] = Object.entries(commands).map(
  ([name, { target, summary }]) => [`${name} ${target}`, summary],
)

/** Carries out one command; `name` is one of `commandNames`. */
export async function runCommand(name: string, argv: readonly string[], deps: CommandDeps): Promise<number> {
  const { connect, out, err, program } = deps
  try {
    const command = Object.hasOwn(commands, name) ? commands[name] : undefined
    if (command === undefined) throw new UsageError(`unknown command "${name}"${suggestName(name, commandNames)}`)
    const args = parseArguments(argv, Object.keys(command.options))
    if (args.help) {
      out(renderHelp(name, command, program))
      return 0
    }
    const prepared = command.prepare(args)
    const carryOut = async () => {
      if (typeof prepared !== 'function') return await prepared.withoutCluster(deps)
      const { kubeconfig, context } = args
      const cluster = await connect({ ...(kubeconfig === undefined ? {} : { kubeconfig }), ...(context === undefined ? {} : { context }) })
      const namespace = args.namespace ?? cluster.namespace
      const onWarning = (text: string): void => err(`warning: ${text}\n`)
      return await prepared({ ...deps, client: cluster.client, namespace, where: ` -n ${namespace}`, onWarning })
    }
    const said = await carryOut()
    const { words, exitCode } = typeof said === 'string' ? { words: said, exitCode: 0 } : said
    out(`${words}\n`)
    return exitCode
  } catch (error) {
    const isUsage = error instanceof UsageError
    err(`${program} ${name}: ${errorMessage(error)}${nextAfter(error)}\n${isUsage ? `Try: ${program} ${name} --help\n` : ''}`)
    return isUsage ? 2 : 1
  }
}

/** Returns what to do about a refusal whose message does not say it. */
function nextAfter(error: unknown): string {
  // A quota or an admission plugin also forbids; its message says why.
  if (hasCode(error, 'TM_KUBE_FORBIDDEN') && /cannot \w+ resource/u.test(error.message)) {
    return '. Next: get the role "edit" in that namespace (Taskmill\'s chart adds these permissions to it), or ask someone who has it'
  }
  if (hasCode(error, 'TM_KUBE_UNAUTHORIZED')) return '. Next: log in to the cluster again, as for kubectl'
  if (hasCode(error, 'TM_KUBE_CONFLICT')) return '. Next: look at it with kubectl get, and try again'
  return ''
}
