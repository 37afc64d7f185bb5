/**
 * Which field managers hold fields of a pod template, and how they change hands.
 *
 * Server-side apply merges lists such as `env` by key: two managers can hold one entry, each another field of it. After
 * `kubectl set env X=1`, a template that fills X with `valueFrom` is refused for good, because the `value` of the other manager stays beside it.
 * The API server offers no way to remove a field of another manager within an apply, so its ownership moves first: a field that only the
 * applier holds, and that its next apply leaves out, is removed by that apply. One change of the template, and so one rollout.
 */

/** `metadata.managedFields` of an object. */
export type ManagedFieldsEntry = {
  readonly manager?: string
  readonly operation?: string
  readonly subresource?: string
  readonly fieldsV1?: FieldSet
  readonly [field: string]: unknown
}
/** FieldsV1: `f:` leads to a field, `k:` to an entry of a list by its keys, `v:` to an entry by its value; `.` is the field itself. */
export type FieldSet = { readonly [step: string]: FieldSet }

/**
 * What to take from the other managers.
 * - `Entries`: what they hold within an entry (env, ports, volumes, mounts) that the template declares.
 * - `Containers`: besides, what they hold in the declared containers and in the pod itself; their own containers, variables and volumes stay.
 * - `All`: everything in the pod's spec.
 */
export type Reach = 'Entries' | 'Containers' | 'All'

/** `from`: which manager loses which fields, in words. `managedFields`: who holds what afterwards. */
export type Takeover = {
  readonly from: readonly { readonly manager: string; readonly fields: readonly string[] }[]
  readonly managedFields: readonly ManagedFieldsEntry[]
}

const podSpecPath = ['f:spec', 'f:template', 'f:spec'] as const
const containerLists: ReadonlySet<string> = new Set(['f:containers', 'f:initContainers', 'f:ephemeralContainers'])

/**
 * Plans how `applier` takes over fields that are in the way of its template. `owners` are managers of ours, which lose nothing. Returns
 * undefined if there is nothing to take.
 */
export function planTakeover(
  managed: readonly ManagedFieldsEntry[],
  owners: { readonly applier: string; readonly others: readonly string[] },
  podSpec: unknown,
  reach: Reach,
): Takeover | undefined {
  const from: { manager: string; fields: readonly string[] }[] = []
  let taken: FieldSet = {}
  const kept = managed.flatMap((entry): readonly ManagedFieldsEntry[] => {
    const { manager = '', fieldsV1, subresource } = entry
    const isOurs = manager === owners.applier || owners.others.includes(manager)
    const held = isOurs || subresource !== undefined ? undefined : descend(fieldsV1, podSpecPath)
    if (held === undefined || fieldsV1 === undefined) return [entry]
    const split = splitFields(held, podSpec, reach)
    if (split.taken === undefined) return [entry]
    from.push({ manager, fields: namesIn(split.taken) })
    taken = merged(taken, wrapped(split.taken))
    const rest = replaced(fieldsV1, podSpecPath, split.kept)
    return rest === undefined ? [] : [{ ...entry, fieldsV1: rest }]
  })
  return from.length === 0 ? undefined : { from, managedFields: handedTo(kept, owners.applier, taken) }
}

function handedTo(entries: readonly ManagedFieldsEntry[], applier: string, taken: FieldSet): readonly ManagedFieldsEntry[] {
  const isApplier = ({ manager, operation, subresource }: ManagedFieldsEntry): boolean =>
    manager === applier && operation === 'Apply' && subresource === undefined
  const given = (entry: ManagedFieldsEntry): ManagedFieldsEntry => ({ ...entry, fieldsV1: merged(entry.fieldsV1 ?? {}, taken) })
  if (entries.some(isApplier)) return entries.map((entry) => (isApplier(entry) ? given(entry) : entry))
  return [...entries, given({ manager: applier, operation: 'Apply', apiVersion: 'apps/v1', fieldsType: 'FieldsV1' })]
}

type Split = { readonly taken?: FieldSet | undefined; readonly kept?: FieldSet | undefined }

/** Splits what another manager holds. `declared`: what the template has at this place. */
function splitFields(held: FieldSet, declared: unknown, reach: Reach, list?: string): Split {
  if (reach === 'All') return { taken: held }
  const taken: [string, FieldSet][] = []
  const kept: [string, FieldSet][] = []
  for (const [step, below] of Object.entries(held)) {
    const value = valueAt(declared, step)
    const isEntry = step.startsWith('k:')
    const isContainer = isEntry && list !== undefined && containerLists.has(list)
    const isLeaf = Object.keys(below).length === 0
    if (isEntry && value === undefined) kept.push([step, below])
    else if (isEntry && !isContainer) taken.push([step, below])
    else if (isLeaf) (reach === 'Containers' ? taken : kept).push([step, below])
    else {
      const split = splitFields(below, value, reach, step)
      if (split.taken !== undefined) taken.push([step, split.taken])
      if (split.kept !== undefined) kept.push([step, split.kept])
    }
  }
  return { taken: fieldsOf(taken), kept: fieldsOf(kept) }
}

function fieldsOf(entries: readonly (readonly [string, FieldSet])[]): FieldSet | undefined {
  return entries.length === 0 ? undefined : Object.fromEntries(entries)
}

/** Keys that the API server fills in where a template leaves them out. */
const defaults: Readonly<Record<string, unknown>> = { protocol: 'TCP' }

function valueAt(declared: unknown, step: string): unknown {
  if (typeof declared !== 'object' || declared === null) return undefined
  if (step.startsWith('f:')) return (declared as Record<string, unknown>)[step.slice(2)]
  if (!step.startsWith('k:') || !Array.isArray(declared)) return undefined
  const keys = Object.entries(JSON.parse(step.slice(2)) as Record<string, unknown>)
  return declared.find((each: Record<string, unknown> | null) => keys.every(([key, value]) => (each?.[key] ?? defaults[key]) === value))
}

function descend(fields: FieldSet | undefined, path: readonly string[]): FieldSet | undefined {
  return path.reduce<FieldSet | undefined>((below, step) => below?.[step], fields)
}

function wrapped(fields: FieldSet): FieldSet {
  return podSpecPath.reduceRight<FieldSet>((below, step) => ({ [step]: below }), fields)
}

/** Returns the fields with others at that path, without what becomes empty; undefined if nothing is left. */
function replaced(fields: FieldSet, [step = '', ...rest]: readonly string[], below: FieldSet | undefined): FieldSet | undefined {
  const { [step]: old = {}, ...others } = fields
  const next = rest.length === 0 ? below : replaced(old, rest, below)
  const all = next === undefined ? others : { ...others, [step]: next }
  return Object.keys(all).every((each) => each === '.') ? undefined : all
}

function merged(a: FieldSet, b: FieldSet): FieldSet {
  const result: Record<string, FieldSet> = { ...a }
  for (const [step, below] of Object.entries(b)) result[step] = merged(a[step] ?? {}, below)
  return result
}

/** `containers[worker].env[X]`: the entries of lists, and the fields that stand in none. */
function namesIn(fields: FieldSet, path = '', list = ''): readonly string[] {
  return Object.entries(fields).flatMap(([step, below]): readonly string[] => {
    if (step === '.') return []
    const isEntry = step.startsWith('k:')
    const name = isEntry ? `${path}[${keyWords(step)}]` : `${path}${path === '' ? '' : '.'}${step.slice(2)}`
    const isContainer = isEntry && containerLists.has(list)
    const isLeaf = Object.keys(below).every((each) => each === '.')
    return isLeaf || (isEntry && !isContainer) ? [name] : namesIn(below, name, step)
  })
}

function keyWords(step: string): string {
  return Object.values(JSON.parse(step.slice(2)) as Record<string, unknown>)
    .map(String)
    .join('/')
}
