/** What must hold between the fields of a pod, its metadata and its volumes. */
import { isObject } from '../documents.ts'
import { type Complaint, errorAt, isMissing, objectsAt, partOf, type Relation, warningAt } from './complaint.ts'
import { initContainer } from './containers.ts'
import { oldNodeLabel, oldVolumeSources } from './deprecated.ts'
import { sameConstraints } from './scheduling.ts'
import { labelKey, labelValue } from './syntax.ts'

const mostAnnotationBytes = 262_144

/** Labels and annotations of any object; the API server lower-cases the keys of annotations before it judges them. */
export const metadata: Relation = (value, path) => {
  const [labels, annotations] = [partOf(value, 'labels'), partOf(value, 'annotations')]
  const bytes = Object.entries(annotations).reduce(
    (sum, [key, own]) => sum + Buffer.byteLength(key + (typeof own === 'string' ? own : '')),
    0,
  )
  return [
    ...labelFaults(labels, `${path}.labels`),
    ...bareFinalizers(value['finalizers'], `${path}.finalizers`),
    ...Object.keys(annotations).flatMap((key) => errorAt(`${path}.annotations.${key}`, keyFault(key.toLowerCase()))),
    ...errorAt(
      `${path}.annotations`,
      bytes > mostAnnotationBytes ? `must have at most ${mostAnnotationBytes} bytes, has ${bytes}` : undefined,
    ),
  ]
}

/** Kubernetes' own have no domain. */
const ownFinalizers: readonly unknown[] = ['kubernetes', 'foregroundDeletion', 'orphan']

function bareFinalizers(list: unknown, path: string): readonly Complaint[] {
  if (!Array.isArray(list)) return []
  return list.flatMap((name: unknown, index) => {
    if (typeof name !== 'string' || name.includes('/') || ownFinalizers.includes(name) || labelKey(name) !== undefined) return []
    return [warningAt(`${path}[${index}]`, `may be somebody else's, too; write a name with a domain, such as acme.dev/${name}`)]
  })
}

function labelFaults(labels: Readonly<Record<string, unknown>>, path: string): readonly Complaint[] {
  return Object.entries(labels).flatMap(([key, own]) => [
    ...errorAt(`${path}.${key}`, keyFault(key)),
    ...errorAt(`${path}.${key}`, typeof own === 'string' ? labelValue(own) : undefined),
  ])
}

function keyFault(key: string): string | undefined {
  const fault = labelKey(key)
  return fault === undefined ? undefined : `the key ${fault}`
}

/** Volumes without any source are empty folders. */
export const volume: Relation = (value, path) => {
  const sources = Object.keys(value).filter((field) => field !== 'name' && !isMissing(value[field]))
  return [
    ...errorAt(path, sources.length > 1 ? `must have one source, has ${sources.join(', ')}` : undefined),
    ...oldVolumeSources(sources, path),
  ]
}

export const pod: Relation = (value, path, handover) => {
  const containers = [
    ...objectsAt(value['containers'], `${path}.containers`),
    ...objectsAt(value['initContainers'], `${path}.initContainers`),
  ]
  return [
    ...errorAt(
      `${path}.containers`,
      Array.isArray(value['containers']) && value['containers'].length === 0 ? 'must have at least 1 entries' : undefined,
    ),
    ...objectsAt(value['initContainers'], `${path}.initContainers`).flatMap((each) => initContainer(each.value, each.path, handover)),
    ...sameNames(containers, 'another container of the pod'),
    ...sameNames(objectsAt(value['volumes'], `${path}.volumes`), 'another volume of the pod'),
    ...lostMounts(containers, value['volumes'], handover === 'apply' ? operatorVolumes : []),
    ...labelFaults(partOf(value, 'nodeSelector'), `${path}.nodeSelector`),
    ...Object.keys(partOf(value, 'nodeSelector')).flatMap((label) => oldNodeLabel(label, `${path}.nodeSelector.${label}`)),
    ...samePortNames(containers),
    ...sameConstraints(value['topologySpreadConstraints'], `${path}.topologySpreadConstraints`),
    ...hostPortFaults(value, containers),
    ...ownRules(value, path),
    ...(handover === 'apply' ? poolRules(value, path) : []),
  ]
}

type Placed = readonly { readonly value: Readonly<Record<string, unknown>>; readonly path: string }[]

function sameNames(objects: Placed, whose: string): readonly Complaint[] {
  const seen = new Set<unknown>()
  return objects.flatMap(({ value: { name }, path }) => {
    const isSecond = !isMissing(name) && seen.has(name)
    seen.add(name)
    return errorAt(`${path}.name`, isSecond ? `is the name of ${whose}` : undefined)
  })
}

/** Within one container, that is an error of its own. */
function samePortNames(containers: Placed): readonly Complaint[] {
  const owners = new Map<unknown, string>()
  return containers.flatMap(({ value, path }) =>
    objectsAt(value['ports'], `${path}.ports`).flatMap(({ value: { name }, path: at }) => {
      const owner = owners.get(name)
      if (typeof name !== 'string' || name === '' || owner === path) return []
      owners.set(name, owner ?? path)
      return owner === undefined
        ? []
        : [warningAt(`${at}.name`, 'is the name of a port of another container, which probes and Services then use')]
    }),
  )
}

/** The operator adds these to a pool whose TaskBroker has credentials or TLS, so that any container can mount them. */
const operatorVolumes: readonly unknown[] = ['taskmill-broker-credentials', 'taskmill-broker-tls']

function lostMounts(containers: Placed, volumes: unknown, added: readonly unknown[]): readonly Complaint[] {
  const names = [...objectsAt(volumes, '').map(({ value }) => value['name']), ...added]
  return containers.flatMap(({ value, path }) =>
    objectsAt(value['volumeMounts'], `${path}.volumeMounts`).flatMap(({ value: { name }, path: at }) => {
      if (typeof name !== 'string' || name === '' || names.includes(name)) return []
      return errorAt(`${at}.name`, `there is no volume ${JSON.stringify(name)}; add it to volumes, or correct the name`)
    }),
  )
}

/** On the network of the node, a port is a port of the node. */
function hostPortFaults({ hostNetwork }: Readonly<Record<string, unknown>>, containers: Placed): readonly Complaint[] {
  if (hostNetwork !== true) return []
  return containers.flatMap(({ value, path }) =>
    objectsAt(value['ports'], `${path}.ports`).flatMap(({ value: { containerPort, hostPort }, path: at }) =>
      errorAt(
        `${at}.hostPort`,
        isMissing(hostPort) || hostPort === containerPort ? undefined : 'must be containerPort, because hostNetwork is true',
      ),
    ),
  )
}

function ownRules(value: Readonly<Record<string, unknown>>, path: string): readonly Complaint[] {
  const { dnsPolicy, dnsConfig, terminationGracePeriodSeconds: grace, ephemeralContainers } = value
  const servers = isObject(dnsConfig) ? dnsConfig['nameservers'] : undefined
  const hasServers = Array.isArray(servers) && servers.length > 0
  return [
    ...errorAt(`${path}.dnsConfig.nameservers`, dnsPolicy === 'None' && !hasServers ? 'is required with dnsPolicy: None' : undefined),
    ...errorAt(`${path}.ephemeralContainers`, isMissing(ephemeralContainers) ? undefined : 'cannot be in a template; use containers'),
    ...(typeof grace === 'number' && grace < 0
      ? [warningAt(`${path}.terminationGracePeriodSeconds`, 'must be at least 0; Kubernetes takes a negative value for 1')]
      : []),
  ]
}

/** A pool is a Deployment, whose pods run for ever. */
function poolRules({ restartPolicy, activeDeadlineSeconds }: Readonly<Record<string, unknown>>, path: string): readonly Complaint[] {
  return [
    ...errorAt(
      `${path}.restartPolicy`,
      isMissing(restartPolicy) || restartPolicy === '' || restartPolicy === 'Always' ? undefined : 'must be Always in a pool; leave it out',
    ),
    ...errorAt(
      `${path}.activeDeadlineSeconds`,
      isMissing(activeDeadlineSeconds) ? undefined : 'cannot be set in a pool, whose pods have no end; leave it out',
    ),
  ]
}
