/**
 * What the worker container of a pool gets: its environment, and the broker's Secrets as mounted files, which follow a rotation without a
 * restart. What the template sets itself wins: who writes TASKMILL_QUEUES into the template means it.
 */
import type { TaskBroker, WorkerPool } from '../../api/index.ts'
import { workerEnv } from '../../contract/index.ts'
import { brokerEnvironment, type Env } from './broker-env.ts'
import { namespaceOf } from './ownership.ts'

type Named = { readonly name: string; readonly [field: string]: unknown }
type Mount = { readonly name: string; readonly mountPath: string; readonly readOnly?: boolean; readonly [field: string]: unknown }
type Container = {
  readonly name: string
  readonly env?: readonly Env[]
  readonly volumeMounts?: readonly Mount[]
  readonly [field: string]: unknown
}
export type PodSpec = { readonly containers: readonly Container[]; readonly volumes?: readonly Named[]; readonly [field: string]: unknown }

/** Of `/livez`, `/readyz` and `/metrics` in the worker. */
const httpPort = 9090
const credentials = { volume: 'taskmill-broker-credentials', folder: '/var/run/secrets/taskmill.dev/broker/credentials' }
const tls = { volume: 'taskmill-broker-tls', folder: '/var/run/secrets/taskmill.dev/broker/tls' }

/** The pod with everything added to the container named `worker`, or else to the first one. */
export function injected(pod: PodSpec, pool: WorkerPool, broker: TaskBroker): PodSpec {
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
  const added = missing(volumes, pod.volumes)
  return { ...pod, containers, ...(added.length === 0 ? {} : { volumes: [...(pod.volumes ?? []), ...added] }) }
}

function withWorker(container: Container, pool: WorkerPool, broker: TaskBroker, volumes: readonly string[]): Container {
  const env = [...environmentOf(pool, broker), ...brokerEnvironment(pool.spec.brokerEnv ?? {}, broker)]
  const mounts = [credentials, tls].flatMap(({ volume, folder }) =>
    volumes.includes(volume) ? [{ name: volume, mountPath: folder, readOnly: true }] : [],
  )
  const added = missing(mounts, container.volumeMounts)
  return {
    // The last words of a container that fails are what people need first.
    terminationMessagePolicy: 'FallbackToLogsOnError',
    ...container,
    // Ours first, so that the template's own can refer to them.
    env: [...missing(env, container.env), ...(container.env ?? [])],
    ...(added.length === 0 ? {} : { volumeMounts: [...(container.volumeMounts ?? []), ...added] }),
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

function missing<T extends { readonly name: string }>(
  wanted: readonly T[],
  declared: readonly { readonly name: string }[] = [],
): readonly T[] {
  const names = new Set(declared.map(({ name }) => name))
  return wanted.filter(({ name }) => !names.has(name))
}
