import { overrideOrigin, type Override, type WorkerPool } from '../api/index.ts'
import { errorMessage } from '../errors/index.ts'
import type { KubeClient } from '../kube/index.ts'
import { type Arguments, parseArguments } from './arguments.ts'
import { CommandError, usageError } from './command-error.ts'
import { sayDuration } from './duration.ts'
import {
  activeOverride,
  parseReference,
  readObject,
  removeOverride,
  writeOverride,
  type Overridable,
  type Reference,
} from './overridable.ts'
import { helpOf } from './help.ts'
import { whoAmI } from './who-am-i.ts'

export type Cluster = { readonly client: KubeClient; readonly namespace: string }

export type CommandDeps = {
  /** Reaches the cluster, by default that of the current context; called once at most. */
  readonly connect: (how: { readonly kubeconfig?: string; readonly context?: string }) => Promise<Cluster>
  readonly out: (text: string) => void
  readonly err: (text: string) => void
  readonly now: () => number
  /** How people call the program: `taskmill`, or `kubectl taskmill`. */
  readonly program: string
}

type Context = CommandDeps & Cluster & { readonly args: Arguments; readonly where: string }

const commands = { scale, suspend, resume } as const
type CommandName = keyof typeof commands

export const commandNames: readonly string[] = Object.keys(commands)

/** Carries out one command; `name` is one of `commandNames`. */
export async function runCommand(name: string, argv: readonly string[], deps: CommandDeps): Promise<number> {
  const { connect, out, err, program } = deps
  try {
    if (!isCommand(name)) throw usageError(`unknown command "${name}"`)
    const args = parseArguments(argv)
    if (args.help) {
      out(helpOf(name, program))
      return 0
    }
    const prepared = commands[name](args)
    const { kubeconfig, context } = args
    const cluster = await connect({ ...(kubeconfig === undefined ? {} : { kubeconfig }), ...(context === undefined ? {} : { context }) })
    const namespace = args.namespace ?? cluster.namespace
    out(`${await prepared({ ...deps, client: cluster.client, namespace, args, where: ` -n ${namespace}` })}\n`)
    return 0
  } catch (error) {
    const isUsage = error instanceof CommandError && error.isUsage
    err(`${program} ${name}: ${errorMessage(error)}\n${isUsage ? `Try: ${program} ${name} --help\n` : ''}`)
    return isUsage ? 2 : 1
  }
}

function isCommand(name: string): name is CommandName {
  return Object.hasOwn(commands, name)
}

type Prepared = (context: Context) => Promise<string>

function scale({ positionals, forMs, because }: Arguments): Prepared {
  const [target, count, ...more] = positionals
  const reference = parseReference(target, ['WorkerPool'])
  const replicas = Number(count)
  if (count === undefined || !/^\d{1,5}$/u.test(count) || replicas > 10_000) {
    throw usageError(`say how many replicas, 0 to 10000: scale ${reference.shown} 5 --for 1h`)
  }
  noMore(more)
  const ms = required(forMs)
  return async (context) => {
    const object = (await readObject(context.client, context.namespace, reference)) as WorkerPool
    const { minReplicas, maxReplicas } = object.spec.scaling
    const beyond = replicas > maxReplicas ? `more than maxReplicas ${maxReplicas}` : `fewer than minReplicas ${minReplicas}`
    const note = replicas > maxReplicas || replicas < minReplicas ? ` That is ${beyond}, which does not count meanwhile.` : ''
    const what = `${replicas} ${replicas === 1 ? 'replica' : 'replicas'}`
    return override(context, reference, object, { replicas }, { what, ms, because, note })
  }
}

function suspend({ positionals, forMs, because }: Arguments): Prepared {
  const [target, ...more] = positionals
  const reference = parseReference(target)
  noMore(more)
  const ms = required(forMs)
  return async (context) => {
    const object = await readObject(context.client, context.namespace, reference)
    return override(context, reference, object, { suspend: true }, { what: 'suspended', ms, because })
  }
}

function resume({ positionals, forMs, because }: Arguments): Prepared {
  const [target, ...more] = positionals
  const reference = parseReference(target)
  noMore(more)
  if (reference.kind === 'WorkerPool' && forMs !== undefined) {
    throw usageError(`a pool is suspended by an override only, so that there is nothing to resume for a while: leave --for out`)
  }
  return async (context) => {
    const { client, namespace, where, program } = context
    const object = await readObject(client, namespace, reference)
    if (forMs !== undefined) return override(context, reference, object, { suspend: false }, { what: 'not suspended', ms: forMs, because })
    const isSuspended = 'suspend' in object.spec && object.spec.suspend
    const bySpec = `spec.suspend is true in ${reference.shown} itself`
    if (object.spec.override === undefined) {
      if (!isSuspended) return `${reference.shown}${where} is not overridden: nothing to resume`
      throw new CommandError(
        `${bySpec}, which is for its manifest to change. For a while: ${program} resume ${reference.shown}${where} --for 1h --because "…"`,
      )
    }
    const active = activeOverride(object, context.now())
    await removeOverride(client, object)
    const ended =
      active === undefined ? 'an override that had ended was removed' : `no override any more (there was one ${overrideOrigin(active)})`
    return `${reference.shown}${where}: ${ended}.${isSuspended ? ` It stays suspended: ${bySpec}.` : ''}`
  }
}

type Wish = { readonly what: string; readonly ms: number; readonly because: string | undefined; readonly note?: string }

/** Writes an override and says what holds now, until when, and how to end it sooner. */
async function override(
  context: Context,
  reference: Reference,
  object: Overridable,
  fields: object,
  { what, ms, because, note = '' }: Wish,
): Promise<string> {
  const { client, program, where, now } = context
  const by = await whoAmI(client)
  const until = new Date(Math.round((now() + ms) / 1000) * 1000).toISOString().replace('.000Z', 'Z')
  const origin: Override = { until, by, ...(because === undefined ? {} : { reason: because }) }
  const before = activeOverride(object, now())
  await writeOverride(client, object, { ...fields, ...origin }, (text) => context.err(`warning: ${text}\n`))
  const replaced = before === undefined ? '' : ` It replaces one ${overrideOrigin(before).trim()}.`
  const origins = overrideOrigin(origin).replace(until, `${until} (${sayDuration(ms)})`)
  return `${reference.shown}${where}: ${what} ${origins}.${note}${replaced} Sooner: ${program} resume ${reference.shown}${where}`
}

function required(forMs: number | undefined): number {
  if (forMs === undefined) throw usageError('say for how long, such as --for 1h: an override ends by itself')
  return forMs
}

function noMore(more: readonly string[]): void {
  if (more.length > 0) throw usageError(`"${more[0]}" is one word too many; a reason goes in quotes: --because "two words"`)
}
