/**
 * The Deployment of a pool: whose it is, how it looks when it is built from the pool's template, and what its worker container gets. Pure.
 */
import {
  apiVersionOf,
  type Deployment,
  deployments,
  type OwnerReference,
  podSourceOf,
  type TaskBroker,
  type WorkerPool,
  workerPools,
} from '../../api/index.ts'
import { annotations, labels, workerEnv } from '../../contract/index.ts'
import { isRawNumber } from '../../json/index.ts'

type LabelSelector = Deployment['spec']['selector']

export function namespaceOf(pool: WorkerPool): string {
  return pool.metadata.namespace ?? ''
}

/** A pool with a template owns the Deployment of its own name; one with a target only scales that. */
export function deploymentNameOf(pool: WorkerPool): string {
  const source = podSourceOf(pool.spec)
  switch (source.kind) {
    case 'template':
      return pool.metadata.name
    case 'targetRef':
      return source.value.name
  }
}

export function deploymentKeyOf(pool: WorkerPool): string {
  return `${namespaceOf(pool)}/${deploymentNameOf(pool)}`
}

/** The pools to look at when a Deployment changed: the one that its label names, and the one that it named before. */
export function poolsOf(...objects: readonly (Deployment | undefined)[]): readonly string[] {
  const keys = objects.flatMap((object) => {
    const name = object?.metadata.labels?.[labels.pool]
    return name === undefined ? [] : [`${object?.metadata.namespace ?? ''}/${name}`]
  })
  return [...new Set(keys)]
}

/** Returns the owner of this Deployment when this pool must not write to it. `poolNamed`: the pools of its namespace. */
export function findForeignOwner(
  object: Deployment,
  pool: WorkerPool,
  poolNamed: (name: string) => WorkerPool | undefined,
): string | undefined {
  const controller = controllerOf(object)
  switch (podSourceOf(pool.spec).kind) {
    case 'template':
      // By UID, not only by name: a pool that was created anew does not inherit.
      if (controller?.uid === pool.metadata.uid) return undefined
      return controller === undefined ? 'an unknown owner' : `${controller.kind} "${controller.name}"`
    case 'targetRef': {
      if (controller?.kind === pool.kind) return `${controller.kind} "${controller.name}"`
      const marked = object.metadata.labels?.[labels.pool]
      if (marked === undefined || marked === pool.metadata.name) return undefined
      return poolNamed(marked)?.spec.targetRef?.name === object.metadata.name ? `WorkerPool "${marked}"` : undefined
    }
  }
}

/** Whether a Deployment carries what a pool of that name adds to its target. */
export function isMarkedFor(object: Deployment, poolName: string): boolean {
  return object.metadata.labels?.[labels.pool] === poolName && object.metadata.annotations?.[annotations.writtenReplicas] !== undefined
}

/** Whether it is a target that a pool of that name has left: marked, and neither created by a pool nor what the pool targets now. */
export function isLeftBy(object: Deployment, poolName: string, pool: WorkerPool | undefined): boolean {
  if (!isMarkedFor(object, poolName) || controllerOf(object)?.kind === 'WorkerPool') return false
  return pool?.spec.targetRef?.name !== object.metadata.name
}

/** Replicas that were written last, by the Deployment's own account. */
export function writtenReplicas(object: Deployment): number | undefined {
  const written = object.metadata.annotations?.[annotations.writtenReplicas]
  return written === undefined || !/^\d+$/u.test(written) ? undefined : Number(written)
}

/** A selector as kubectl and the API server take it in one line. */
export function selectorOf({ matchLabels = {}, matchExpressions = [] }: LabelSelector): string {
  const equal = Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`)
  const others = matchExpressions.map(({ key, operator, values = [] }) => {
    switch (operator) {
      case 'In':
        return `${key} in (${values.join(',')})`
      case 'NotIn':
        return `${key} notin (${values.join(',')})`
      case 'Exists':
        return key
      case 'DoesNotExist':
        return `!${key}`
    }
  })
  return [...equal, ...others].join(',')
}

function controllerOf(object: Deployment) {
  return object.metadata.ownerReferences?.find((owner) => owner.controller === true)
}

/** Time that the kubelet grants beyond the drain: the worker hands back what is left and closes its connections in it. */
const closingSeconds = 10

/** Without `spec.replicas`, which belongs to a field manager of its own. */
export type DeploymentApply = {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace: string
    readonly uid?: string
    readonly labels: Readonly<Record<string, string>>
    readonly ownerReferences: readonly OwnerReference[]
  }
  readonly spec: {
    readonly replicas?: number
    readonly selector: { readonly matchLabels: Readonly<Record<string, string>> }
    readonly template: Readonly<Record<string, unknown>>
  }
}

/**
 * The field of the pool in which a field of its Deployment stands. Only the variables have other places: what the operator adds stands before
 * those of the template, as pool.spec.brokerEnv and the broker want it.
 */
export function fieldInPool(field: string, { spec }: WorkerPool, wanted: DeploymentApply): string {
  const {
    container = '',
    index = '',
    below = '',
  } = /^spec\.template\.spec\.containers\[(?<container>\d+)\]\.env\[(?<index>\d+)\](?<below>.*)$/su.exec(field)?.groups ?? {}
  if (index === '') return field
  const own = Number(index) - (variablesIn(wanted.spec.template, container) - variablesIn(spec.template, container))
  return own < 0 ? 'spec.brokerEnv' : `spec.template.spec.containers[${container}].env[${own}]${below}`
}

function variablesIn(template: unknown, container: string): number {
  const env: unknown = (template as { readonly spec?: PodSpec } | undefined)?.spec?.containers[Number(container)]?.['env']
  return Array.isArray(env) ? env.length : 0
}

/** The Deployment as it should be; undefined for one that is only scaled. */
export function deploymentFor(pool: WorkerPool, broker: TaskBroker): DeploymentApply | undefined {
  const source = podSourceOf(pool.spec)
  switch (source.kind) {
    case 'template':
      return deploymentFrom(source.value, pool, broker)
    case 'targetRef':
      return undefined
  }
}

/** The broker's Secrets are only named: who may read them is the kubelet. */
function deploymentFrom(
  { metadata, spec }: NonNullable<WorkerPool['spec']['template']>,
  pool: WorkerPool,
  broker: TaskBroker,
): DeploymentApply {
  const own = { [labels.pool]: pool.metadata.name }
  const graceSeconds = pool.spec.drainTimeoutSeconds + closingSeconds
  return {
    apiVersion: apiVersionOf(deployments),
    kind: deployments.kind,
    metadata: {
      name: pool.metadata.name,
      namespace: namespaceOf(pool),
      labels: own,
      ownerReferences: [ownerReference(pool)],
    },
    spec: {
      selector: { matchLabels: own },
      template: {
        metadata: { ...metadata, labels: { ...metadata?.labels, ...own } },
        spec: {
          ...injected(spec, pool, broker),
          terminationGracePeriodSeconds: graceFor(spec['terminationGracePeriodSeconds'], graceSeconds),
        },
      },
    },
  }
}

/** At least the time to drain. What is no number of seconds stays as it is, so that the API server names it. */
function graceFor(declared: unknown, least: number): unknown {
  if (declared === undefined || declared === null) return least
  const seconds = isRawNumber(declared) ? Number(declared.rawJSON) : declared
  return typeof seconds === 'number' && Number.isInteger(seconds) && seconds < least ? least : declared
}

function ownerReference(pool: WorkerPool): OwnerReference {
  return {
    apiVersion: apiVersionOf(workerPools),
    kind: workerPools.kind,
    name: pool.metadata.name,
    uid: pool.metadata.uid ?? '',
    controller: true,
  }
}

type Named = { readonly name: string; readonly [field: string]: unknown }
/** What is not named here passes through as the template has it. */
type Container = { readonly name: string; readonly [field: string]: unknown }
type PodSpec = { readonly containers: readonly Container[]; readonly [field: string]: unknown }

/** Of `/livez`, `/readyz` and `/metrics` in the worker. */
const httpPort = 9090
const credentials = { volume: 'taskmill-broker-credentials', folder: '/var/run/secrets/taskmill.dev/broker/credentials' }
const tls = { volume: 'taskmill-broker-tls', folder: '/var/run/secrets/taskmill.dev/broker/tls' }

/**
 * The pod with everything added to the container named `worker`, or else to the first one: its environment, and the broker's Secrets as
 * mounted files, which follow a rotation without a restart. What the template sets itself wins.
 */
function injected(pod: PodSpec, pool: WorkerPool, broker: TaskBroker): PodSpec {
  const volumes = volumesOf(broker)
  const worker = pod.containers.find(({ name }) => name === 'worker') ?? pod.containers[0]
  const containers = pod.containers.map((container) =>
    container === worker
      ? withWorker(
          container,
          pool,
          broker,
          volumes.map(({ name }) => name),
        )
      : container,
  )
  return { ...pod, containers, ...(volumes.length === 0 ? {} : { volumes: withAdded(volumes, pod['volumes'], 'behind') }) }
}

function withWorker(container: Container, pool: WorkerPool, broker: TaskBroker, volumes: readonly string[]): Container {
  const env = [...environmentOf(pool, broker), ...brokerEnvironment(pool.spec.brokerEnv ?? {}, broker)]
  const mounts = [credentials, tls].flatMap(({ volume, folder }) =>
    volumes.includes(volume) ? [{ name: volume, mountPath: folder, readOnly: true }] : [],
  )
  return {
    // The last words of a container that fails are what people need first.
    terminationMessagePolicy: 'FallbackToLogsOnError',
    ...container,
    // Ours first, so that the template's own can refer to them.
    env: withAdded(env, container['env'], 'before'),
    ...(mounts.length === 0 ? {} : { volumeMounts: withAdded(mounts, container['volumeMounts'], 'behind') }),
  }
}

function environmentOf({ metadata, ...pool }: WorkerPool, { spec }: TaskBroker): readonly Env[] {
  return [
    { name: workerEnv.pool, value: metadata.name },
    { name: workerEnv.namespace, value: namespaceOf({ metadata, ...pool }) },
    { name: workerEnv.pod, valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
    { name: workerEnv.queues, value: pool.spec.queues.map((queue) => queue.name).join(',') },
    { name: workerEnv.concurrency, value: String(pool.spec.concurrency) },
    { name: workerEnv.drainTimeoutSeconds, value: String(pool.spec.drainTimeoutSeconds) },
    { name: workerEnv.httpPort, value: String(httpPort) },
    { name: workerEnv.brokerAddress, value: spec.standalone.address },
    { name: workerEnv.brokerKeyPrefix, value: spec.keyPrefix },
    ...(spec.credentialsSecretRef === undefined ? [] : [{ name: workerEnv.brokerCredentialsFolder, value: credentials.folder }]),
    ...(spec.tls === undefined ? [] : [{ name: workerEnv.brokerTlsFolder, value: tls.folder }]),
    ...(spec.tls?.serverName === undefined ? [] : [{ name: workerEnv.brokerTlsServerName, value: spec.tls.serverName }]),
  ]
}

function volumesOf({ spec }: TaskBroker): readonly Named[] {
  const { credentialsSecretRef, tls: declared } = spec
  const secret = credentialsSecretRef === undefined ? [] : [{ name: credentials.volume, secret: { secretName: credentialsSecretRef.name } }]
  if (declared === undefined) return secret
  const { caSecretRef, clientCertificateSecretRef } = declared
  const sources = [
    ...(caSecretRef === undefined ? [] : [filesOf(caSecretRef.name, ['ca.crt'])]),
    ...(clientCertificateSecretRef === undefined ? [] : [filesOf(clientCertificateSecretRef.name, ['tls.crt', 'tls.key'])]),
  ]
  // An empty folder says: TLS, with the authorities that the image trusts.
  return [...secret, { name: tls.volume, ...(sources.length === 0 ? { emptyDir: {} } : { projected: { sources } }) }]
}

function filesOf(name: string, keys: readonly string[]): object {
  return { secret: { name, items: keys.map((key) => ({ key, path: key })) } }
}

/**
 * Adds the entries whose names a list of the template does not have. The API server judges the template: what is null is left out, as in
 * Go, and what is no list stays as it is, so that the answer names it.
 */
function withAdded(ours: readonly Named[], declared: unknown, place: 'before' | 'behind'): unknown {
  if (declared === undefined || declared === null) return ours
  if (!Array.isArray(declared)) return declared
  const names = new Set(declared.map((entry: Partial<Named> | null) => entry?.name))
  const added = ours.filter(({ name }) => !names.has(name))
  return place === 'before' ? [...added, ...declared] : [...declared, ...added]
}

type Env = { readonly name: string; readonly value?: string; readonly valueFrom?: unknown }
type BrokerEnv = NonNullable<WorkerPool['spec']['brokerEnv']>

/** Holds the password for the URL where the pool gives the password no name of its own. */
const urlPassword = 'TASKMILL_BROKER_URL_PASSWORD'

/**
 * The broker under the names that a foreign image wants. The Secret's values never pass through here: Kubernetes fills them in when the pod
 * starts, also in the URL, where `$(NAME)` refers to a variable that stands before it.
 */
function brokerEnvironment(names: BrokerEnv, { spec }: TaskBroker): readonly Env[] {
  const { address } = spec.standalone
  const port = address.slice(address.lastIndexOf(':') + 1)
  const host = address.slice(0, address.lastIndexOf(':')).replaceAll(/[[\]]/gu, '')
  const secret = spec.credentialsSecretRef?.name
  const password = secret === undefined ? undefined : (names.password ?? (names.url === undefined ? undefined : urlPassword))
  const username = secret === undefined ? undefined : names.username
  const scheme = spec.tls === undefined ? 'redis' : 'rediss'
  const login = password === undefined ? '' : `${username === undefined ? '' : `$(${username})`}:$(${password})@`
  return [
    ...variable(names.address, { value: address }),
    ...variable(names.host, { value: host }),
    ...variable(names.port, { value: port }),
    ...variable(names.keyPrefix, { value: spec.keyPrefix }),
    ...variable(username, { valueFrom: { secretKeyRef: { name: secret, key: 'username' } } }),
    ...variable(password, { valueFrom: { secretKeyRef: { name: secret, key: 'password' } } }),
    ...variable(names.url, { value: `${scheme}://${login}${address}` }),
  ]
}

function variable(name: string | undefined, content: Omit<Env, 'name'>): readonly Env[] {
  return name === undefined ? [] : [{ name, ...content }]
}
