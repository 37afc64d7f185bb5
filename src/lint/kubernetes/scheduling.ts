/** What must hold between the fields of selectors, tolerations and affinities. */
import { errorAt, isMissing, objectsAt, type Relation, warningAt } from './complaint.ts'
import { oldNodeLabel } from './deprecated.ts'

export const toleration: Relation = ({ key, operator, value, effect, tolerationSeconds }, path) => [
  ...errorAt(`${path}.operator`, isEmpty(key) && operator !== 'Exists' ? 'must be Exists, because there is no key' : undefined),
  ...errorAt(`${path}.value`, operator === 'Exists' && !isEmpty(value) ? 'goes without operator Exists. Remove value' : undefined),
  ...errorAt(
    `${path}.effect`,
    !isMissing(tolerationSeconds) && effect !== 'NoExecute' ? 'must be NoExecute, because tolerationSeconds is set' : undefined,
  ),
]

/** A requirement of a selector of labels, or of nodes. */
export const requirement: Relation = ({ operator, values }, path) => {
  const count = Array.isArray(values) ? values.length : 0
  return errorAt(`${path}.values`, faultOfValues(String(operator), count))
}

export const nodeRequirement: Relation = (value, path, handover) => [
  ...requirement(value, path, handover),
  ...oldNodeLabel(value['key'], `${path}.key`),
]

function faultOfValues(operator: string, count: number): string | undefined {
  switch (operator) {
    case 'In':
    case 'NotIn':
      return count === 0 ? `is required: ${operator} needs at least one` : undefined
    case 'Exists':
    case 'DoesNotExist':
      return count > 0 ? `goes without operator ${operator}. Remove values` : undefined
    case 'Gt':
    case 'Lt':
      return count === 1 ? undefined : `must have one entry: ${operator} compares with one number`
    default:
      return undefined
  }
}

export const nodeSelector: Relation = ({ nodeSelectorTerms }, path) =>
  errorAt(
    `${path}.nodeSelectorTerms`,
    Array.isArray(nodeSelectorTerms) && nodeSelectorTerms.length === 0 ? 'must have at least 1 entries' : undefined,
  )

export const affinityTerm: Relation = ({ labelSelector }, path) =>
  isMissing(labelSelector)
    ? [warningAt(`${path}.labelSelector`, 'is missing, so that the term matches no pod; write which pods are meant')]
    : []

export const spread: Relation = (value, path) => [
  ...errorAt(
    `${path}.minDomains`,
    !isMissing(value['minDomains']) && value['whenUnsatisfiable'] === 'ScheduleAnyway'
      ? 'goes with whenUnsatisfiable: DoNotSchedule only'
      : undefined,
  ),
  ...oldNodeLabel(value['topologyKey'], `${path}.topologyKey`),
  ...affinityTerm(value, path, 'create'),
]

/** The constraints of a pod: one for each topology and each way to break it. */
export function sameConstraints(list: unknown, path: string) {
  const seen = new Set<string>()
  return objectsAt(list, path).flatMap(({ value: { topologyKey, whenUnsatisfiable }, path: at }) => {
    const identity = JSON.stringify([topologyKey, whenUnsatisfiable])
    const isSecond = seen.has(identity)
    seen.add(identity)
    return errorAt(at, isSecond ? 'has the topologyKey and whenUnsatisfiable of another constraint' : undefined)
  })
}

function isEmpty(value: unknown): boolean {
  return isMissing(value) || value === ''
}
