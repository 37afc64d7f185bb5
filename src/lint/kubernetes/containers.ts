/** What must hold between the fields of containers. */
import { type Complaint, errorAt, isMissing, objectsAt, partOf, type Relation, warningAt } from './complaint.ts'
import { compareQuantities, isWhole, labelKey, parseQuantity, type Quantity } from './syntax.ts'

export const variable: Relation = ({ value, valueFrom }, path) =>
  errorAt(
    `${path}.valueFrom`,
    !isMissing(valueFrom) && typeof value === 'string' && value !== '' ? 'goes without value. Remove one of them' : undefined,
  )

const podFields = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
]

/** A variable can read a field of its pod; labels and annotations one by one. */
export const variableSource: Relation = (value, path) => {
  const { fieldPath } = partOf(value, 'fieldRef')
  if (typeof fieldPath !== 'string' || podFields.includes(fieldPath) || /^metadata\.(?:labels|annotations)\['[^']+'\]$/u.test(fieldPath))
    return []
  return errorAt(
    `${path}.fieldRef.fieldPath`,
    `must be one of ${podFields.join(', ')}, metadata.labels['KEY'], metadata.annotations['KEY']`,
  )
}

/** With server-side apply, the same name twice is an error already. */
export const container: Relation = (value, path, handover) => [
  ...(handover === 'create' ? hiddenVariables(value['env'], `${path}.env`) : []),
  ...sameMounts(value['volumeMounts'], `${path}.volumeMounts`),
  ...portFaults(value['ports'], `${path}.ports`),
  ...['livenessProbe', 'startupProbe'].flatMap((field) => {
    const { successThreshold } = partOf(value, field)
    const isMore = typeof successThreshold === 'number' && successThreshold > 1
    return errorAt(`${path}.${field}.successThreshold`, isMore ? 'must be 1 here; only a readinessProbe can need more' : undefined)
  }),
]

/** A later value may extend the former one: `PATH: $(PATH):/opt`. */
function hiddenVariables(env: unknown, path: string): readonly Complaint[] {
  const seen = new Set<unknown>()
  return objectsAt(env, path).flatMap(({ value: { name, value, valueFrom }, path: at }) => {
    if (!seen.has(name)) {
      seen.add(name)
      return []
    }
    const before = `$(${String(name)})`
    const extendsIt = isMissing(valueFrom) && typeof value === 'string' && value.includes(before) && value !== before
    return extendsIt ? [] : [warningAt(at, `hides the earlier value of ${JSON.stringify(name)}; remove one of them`)]
  })
}

function sameMounts(mounts: unknown, path: string): readonly Complaint[] {
  const seen = new Set<unknown>()
  return objectsAt(mounts, path).flatMap(({ value: { mountPath }, path: at }) => {
    const isSecond = seen.has(mountPath)
    seen.add(mountPath)
    return isSecond ? errorAt(`${at}.mountPath`, 'is the path of another mount; every mount needs a path of its own') : []
  })
}

/** A container that ends before the others start has no health, unless it stays beside them. */
export const initContainer: Relation = (value, path) =>
  value['restartPolicy'] === 'Always'
    ? []
    : ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'].flatMap((field) =>
        errorAt(`${path}.${field}`, isMissing(value[field]) ? undefined : 'goes with restartPolicy: Always only, in an init container'),
      )

export const mount: Relation = ({ subPath, subPathExpr }, path) =>
  errorAt(
    `${path}.subPathExpr`,
    isMissing(subPath) || subPath === '' || isMissing(subPathExpr) ? undefined : 'goes without subPath. Remove one of them',
  )

function portFaults(ports: unknown, path: string): readonly Complaint[] {
  const seen = new Set<unknown>()
  return objectsAt(ports, path).flatMap(({ value: { name, hostIP, hostPort }, path: at }) => {
    const isSecond = typeof name === 'string' && name !== '' && seen.has(name)
    seen.add(name)
    const ip =
      hostIP !== '' && !isMissing(hostIP) && isMissing(hostPort) ? [warningAt(at, 'has hostIP without hostPort; remove hostIP')] : []
    return [...errorAt(`${at}.name`, isSecond ? 'is the name of another port of the container' : undefined), ...ip]
  })
}

const known = new Set(['cpu', 'memory', 'ephemeral-storage'])
/** What cannot be had without being reserved: the request is the limit. */
const isReserved = (name: string): boolean => name.includes('/') || name.startsWith('hugepages-')

export const resources: Relation = (value, path) => {
  const [limits, requests] = [partOf(value, 'limits'), partOf(value, 'requests')]
  return [
    ...amounts(limits, `${path}.limits`),
    ...amounts(requests, `${path}.requests`),
    ...Object.entries(requests).flatMap(([name, wanted]) => {
      const [request, limit] = [quantityOf(wanted), quantityOf(limits[name])]
      if (request === undefined) return []
      if (limit === undefined) return errorAt(`${path}.limits`, isReserved(name) ? `needs ${name}, as requests have it` : undefined)
      const order = compareQuantities(request, limit)
      if (isReserved(name)) return errorAt(`${path}.requests`, order === 0 ? undefined : `must have the same ${name} as limits`)
      return errorAt(
        `${path}.requests`,
        order > 0 ? `must have at most the ${name} of limits, ${String(limits[name])}; is ${String(wanted)}` : undefined,
      )
    }),
  ]
}

function amounts(list: Readonly<Record<string, unknown>>, path: string): readonly Complaint[] {
  return Object.entries(list).flatMap(([name, value]): readonly Complaint[] => {
    const at = `${path}.${name}`
    const isNamed = known.has(name) || /^hugepages-./u.test(name) || (name.includes('/') && labelKey(name) === undefined)
    if (!isNamed)
      return errorAt(at, 'is not a resource; write cpu, memory, ephemeral-storage, or a name with a domain such as nvidia.com/gpu')
    const amount = quantityOf(value)
    if (amount === undefined) return []
    if (amount.digits < 0n) return errorAt(at, 'must be at least 0')
    if (isWhole(amount)) return []
    if (isReserved(name)) return errorAt(at, 'must be a whole number')
    // `512m` is half a byte; most often `512M` or `512Mi` was meant.
    if (name === 'cpu') return []
    return [
      warningAt(
        at,
        `${String(value)} is a fraction of a byte; write ${String(value).replace(/m$/u, 'M')} or ${String(value).replace(/m$/u, 'Mi')}`,
      ),
    ]
  })
}

function quantityOf(value: unknown): Quantity | undefined {
  return typeof value === 'string' || typeof value === 'number' ? parseQuantity(value) : undefined
}
