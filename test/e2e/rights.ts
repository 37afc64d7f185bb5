/** Rights as they are granted by roles, and as an audit log shows them to be used. */

/** API group, resource with its subresource, verb. */
export type Right = readonly [group: string, resource: string, verb: string]

type Roles = {
  readonly items: readonly {
    readonly rules: readonly {
      readonly apiGroups: readonly string[]
      readonly resources: readonly string[]
      readonly verbs: readonly string[]
    }[]
  }[]
}

/** Of `kubectl get roles -o json`. */
export function rightsOfRoles(json: string): readonly Right[] {
  const { items } = JSON.parse(json) as Roles
  return items
    .flatMap(({ rules }) => rules)
    .flatMap(({ apiGroups, resources, verbs }) =>
      apiGroups.flatMap((group) => resources.flatMap((resource) => verbs.map((verb): Right => [group, resource, verb]))),
    )
}

type AuditEvent = {
  readonly verb: string
  readonly requestURI: string
  readonly user: { readonly username: string }
  readonly objectRef?: { readonly apiGroup?: string; readonly resource: string; readonly subresource?: string }
  readonly responseStatus?: { readonly code?: number }
}

/** Of all requests of a user, those that were refused as well. A path that is no resource counts as one, and so is granted by no role. */
export function rightsUsed(log: string, username: string): readonly Right[] {
  const events = log
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as AuditEvent)
  return events.filter(({ user }) => user.username === username).flatMap(rightsOfEvent)
}

function rightsOfEvent({ verb, requestURI, objectRef, responseStatus }: AuditEvent): readonly Right[] {
  if (objectRef === undefined) return [['', requestURI, verb]]
  const { apiGroup = '', resource, subresource } = objectRef
  const full = subresource === undefined ? resource : `${resource}/${subresource}`
  // A server-side apply that creates the object is a patch that needs the right to create as well.
  const created = verb === 'patch' && responseStatus?.code === 201
  return [[apiGroup, full, verb], ...(created ? [[apiGroup, full, 'create'] as const] : [])]
}
