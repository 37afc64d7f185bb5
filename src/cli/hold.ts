/** What the commands that override something have in common. */
import { overrideOrigin, type Override } from '../api/index.ts'
import { usageError } from './command-error.ts'
import type { Context } from './command.ts'
import { sayDuration } from './duration.ts'
import { activeOverride, removeOverride, writeOverride, type Overridable } from './override-object.ts'
import type { Reference } from './reference.ts'
import { whoAmI } from './who-am-i.ts'

/** What the option `--because` means to all of them. */
export const becauseMeans = 'for others to read, in kubectl describe and as an Event'

/** Ends the override, whoever wrote it, and says what was ended. */
export async function letGo(context: Context, object: Overridable): Promise<string> {
  const active = activeOverride(object, context.clock.now())
  await removeOverride(context, object)
  if (active === undefined) return 'an override that had ended was removed'
  return `no override any more (there was one ${overrideOrigin(active)})`
}

type Wish = {
  readonly what: string
  readonly ms: number
  readonly reason: string | undefined
  readonly note?: string
  /** The command that ends it. */
  readonly endedBy?: 'resume' | 'unack'
}

/** Writes an override and says what holds now, until when, and how to end it sooner. */
export async function hold(
  context: Context,
  { shown }: Reference,
  object: Overridable,
  fields: object,
  { what, ms, reason, note = '', endedBy = 'resume' }: Wish,
): Promise<string> {
  const { client, program, where, clock } = context
  const by = await whoAmI(client)
  const until = new Date(Math.round((clock.now() + ms) / 1000) * 1000).toISOString().replace('.000Z', 'Z')
  const origin: Override = { until, by, ...(reason === undefined ? {} : { reason }) }
  const before = activeOverride(object, clock.now())
  await writeOverride(context, object, { ...fields, ...origin })
  const replaced = before === undefined ? '' : ` It replaces one ${overrideOrigin(before).trim()}.`
  const origins = overrideOrigin(origin).replace(until, `${until} (${sayDuration(ms)})`)
  return `${shown}${where}: ${what} ${origins}.${note}${replaced} Sooner: ${program} ${endedBy} ${shown}${where}`
}

export function required(forMs: number | undefined): number {
  if (forMs === undefined) throw usageError('say for how long, such as --for 1h: an override ends by itself')
  return forMs
}

export function noMore(more: readonly string[]): void {
  if (more.length > 0) throw usageError(`"${more[0]}" is one word too many; a reason goes in quotes: --because "two words"`)
}
