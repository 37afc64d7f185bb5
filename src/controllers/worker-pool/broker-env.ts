import type { TaskBroker, WorkerPool } from '../../api/index.ts'

export type Env = { readonly name: string; readonly value?: string; readonly valueFrom?: unknown }
type BrokerEnv = NonNullable<WorkerPool['spec']['brokerEnv']>

/** Holds the password for the URL where the pool gives the password no name of its own. */
const urlPassword = 'TASKMILL_BROKER_URL_PASSWORD'

/**
 * The broker under the names that a foreign image wants. The Secret's values never pass through here: Kubernetes fills them in when the pod
 * starts, also in the URL, where `$(NAME)` refers to a variable that stands before it.
 */
export function brokerEnvironment(names: BrokerEnv, { spec }: TaskBroker): readonly Env[] {
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
