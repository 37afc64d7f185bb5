/** What the commands that write an override have in common. */
import { overrideOrigin, type Override, overrideAt, type KubeObject, type Resource } from '../api/index.ts'
import { UsageError } from '../errors/index.ts'
import type { Applied, KubeClient } from '../kube/index.ts'
import { formatDuration } from './arguments.ts'
import { type Context, fieldManager } from './command.ts'
import { type Reference, type ObjectOf, resourceOf } from './reference.ts'

/** Help of the option `--because`. */
export const becauseHelp = 'shown to others in kubectl describe and as an Event'

/** Ends the override, whatever its author, and returns what was ended. */
export async function endOverride(context: Context, object: Overridable): Promise<string> {
  const active = activeOverride(object, context.clock.now())
  await removeOverride(context, object)
  if (active === undefined) return 'removed an override that had already ended'
  return `removed the override ${overrideOrigin(active)}`
}

type Wish = {
  readonly what: string
  readonly ms: number
  readonly reason: string | undefined
  readonly note?: string
  /** The command that ends it. */
  readonly endedBy?: 'resume' | 'unack'
}

/** Writes an override. Returns what applies now, until when, and how to end it earlier. */
export async function startOverride(
  context: Context,
  { shown }: Reference,
  object: Overridable,
  fields: object,
  { what, ms, reason, note = '', endedBy = 'resume' }: Wish,
): Promise<string> {
  const { client, program, where, clock } = context
  const by = await readUserName(client)
  const until = new Date(Math.round((clock.now() + ms) / 1000) * 1000).toISOString().replace('.000Z', 'Z')
  const origin: Override = { until, by, ...(reason === undefined ? {} : { reason }) }
  const before = activeOverride(object, clock.now())
  await writeOverride(context, object, { ...fields, ...origin })
  const replaced = before === undefined ? '' : ` It replaces the override ${overrideOrigin(before).trim()}.`
  const origins = overrideOrigin(origin).replace(until, `${until} (${formatDuration(ms)})`)
  return `${shown}${where}: ${what} ${origins}.${note}${replaced} To end it earlier: ${program} ${endedBy} ${shown}${where}`
}

export function requireDuration(forMs: number | undefined): number {
  if (forMs === undefined) throw new UsageError('missing --for DURATION, such as --for 1h: every override ends by itself')
  return forMs
}

export function refuseExtraArguments(more: readonly string[]): void {
  if (more.length > 0) throw new UsageError(`unexpected argument "${more[0]}"; put a reason in quotes: --because "two words"`)
}

type OverridableKind = 'WorkerPool' | 'TaskSchedule' | 'TaskQueue' | 'TaskAlert'
type Overridable = ObjectOf<OverridableKind>

/** Returns the override that is active at this time. */
function activeOverride({ spec }: Overridable, nowMs: number): Override | undefined {
  return overrideAt<Override>(spec.override, nowMs)?.override
}

/** Replaces the override. The UID makes it fail if the object was deleted meanwhile, instead of creating a new one. */
async function writeOverride({ client, onWarning }: Context, object: Overridable, override: object): Promise<void> {
  const { name, namespace, uid } = object.metadata
  const body = { metadata: { name, namespace, uid }, spec: { override } } as unknown as Applied<KubeObject>
  await client.apply(resourceOfObject(object), body, { fieldManager, force: true, fieldValidation: 'Strict', onWarning })
}

/** Removes the override, whatever its author. */
async function removeOverride({ client }: Context, object: Overridable): Promise<void> {
  const { name, namespace, uid } = object.metadata
  const resource = resourceOfObject(object)
  const nothing = { metadata: { name, namespace, uid } }
  const left = (await client.apply(resource, nothing, { fieldManager, force: true })) as Overridable
  if (left.spec.override === undefined) return
  // A user wrote it, or a part of it, by other means.
  const { override: _, ...spec } = left.spec
  const without: KubeObject = Object.assign({}, left, { spec })
  await client.update(resource, without, { fieldManager })
}

function resourceOfObject({ kind }: Overridable): Resource<KubeObject> {
  return resourceOf(kind as OverridableKind)
}

type Review = KubeObject & { readonly status?: { readonly userInfo?: { readonly username?: string } } }

const reviews: Resource<Review> = {
  group: 'authentication.k8s.io',
  version: 'v1',
  kind: 'SelfSubjectReview',
  plural: 'selfsubjectreviews',
  namespaced: false,
}

/** The user that the API server takes us for. */
async function readUserName(client: KubeClient): Promise<string> {
  const review = await client.create(reviews, { metadata: { name: '' } }, { fieldManager: 'taskmill-cli' })
  return review.status?.userInfo?.username ?? 'unknown user'
}
