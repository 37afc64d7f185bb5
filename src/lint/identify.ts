import { apiGroup, apiVersion, type Kind, kinds } from '../api/index.ts'
import { didYouMean, nearest } from '../errors/index.ts'

const byName = new Map(kinds.map((kind) => [kind.kind, kind]))

/** What an object is: ours, ours but for a mistake in its first two lines, or somebody else's. */
export type Identity =
  | { readonly kind: 'Ours'; readonly declared: Kind }
  | { readonly kind: 'Wrong'; readonly field: string; readonly message: string }
  | { readonly kind: 'Foreign' }

export function identify(value: Readonly<Record<string, unknown>>): Identity {
  const { apiVersion: group, kind } = value
  const declared = typeof kind === 'string' ? byName.get(kind) : undefined
  const wanted = `${apiGroup}/${apiVersion}`
  if (group === wanted) {
    if (declared !== undefined) return { kind: 'Ours', declared }
    const known = Array.from(byName.keys())
    const words = typeof kind === 'string' ? `${kind} is no kind of ${apiGroup}${didYouMean(kind, known)}` : 'is required'
    return { kind: 'Wrong', field: 'kind', message: `${words}; there are ${known.join(', ')}` }
  }
  if (typeof group === 'string') {
    const isOurGroup = group.startsWith(`${apiGroup}/`) || (declared !== undefined && nearest(group, [wanted]) !== undefined)
    return isOurGroup ? { kind: 'Wrong', field: 'apiVersion', message: `must be ${wanted}, is ${group}` } : { kind: 'Foreign' }
  }
  return declared === undefined ? { kind: 'Foreign' } : { kind: 'Wrong', field: 'apiVersion', message: `is required: write ${wanted}` }
}
